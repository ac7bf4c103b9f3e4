"""A chart as a matplotlib figure of a given width, and as PDF, SVG or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report.charts.chart import Chart
from bench.report.charts.fit import fit
from bench.report.charts.legend import Legend
from bench.report.charts.matrix import add_bar
from bench.report.charts.panel import add_panel
from bench.report.charts.style import FORMATS, PAPER, Look
from lt_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Text stays text in SVG. In PDF, fonts are embedded as TrueType, because publishers reject the default, Type 3.
_FILES = {"svg.hashsalt": "lt-bench", "svg.fonttype": "none", "pdf.fonttype": 42, "ps.fonttype": 42}


def draw(chart: Chart, look: Look = PAPER) -> Figure:
    """The panels of ``chart`` that fit on a page, in a figure that is as high as they need, with one legend below them."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    laid = fit(chart, look)
    with matplotlib.rc_context({"font.size": look.font, "text.parse_math": False, "axes.linewidth": 0.6 * look.weight}):
        handles: dict[str, Any] = {}
        made = Figure(layout=ConstrainedLayoutEngine(w_pad=3 / 72, h_pad=3 / 72, wspace=0.02, hspace=0.02))
        columns = 1 + max(place.column for place in laid.places)
        grid = made.add_gridspec(len(laid.heights), columns, height_ratios=laid.heights)
        for place in laid.places:
            axis = made.add_subplot(grid[place.row, place.column])
            drawn = add_panel(axis, place.panel, place.room, look)
            if place.bar and place.panel.heat:
                add_bar(axis, place.panel.heat, place.room, look)
            handles = {series.key: handle for series, handle in drawn} | handles
        if laid.legend:
            _legend(made, laid.legend, handles, look.small)
        made.set_size_inches(look.width, laid.height / 72)
    return made


def _legend(made: Figure, legend: Legend, handles: dict[str, Any], size: float) -> None:
    made.legend(
        [handles[key] for key in legend.names], list(legend.names.values()), loc="outside lower center", ncols=legend.beside,
        frameon=False, fontsize=size, handlelength=2.2, columnspacing=1.0, borderpad=0.1, borderaxespad=0.2, labelspacing=0.3,
        title_fontsize=size, title=legend.title,
    )  # fmt: skip


def write(chart: Chart, file: Path, look: Look = PAPER) -> None:
    """Draw a chart and `save` it."""
    save(draw(chart, look), file, look.dpi)


def save(made: Figure, file: Path, dpi: int = PAPER.dpi) -> None:
    """Write a figure in the format of the file's suffix; the same figure gives the same bytes.

    Raises:
        UserError: the suffix is none of `FORMATS`, or the folder cannot be written.
    """
    format = file.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise UserError(f"'{file}' must end in .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}")
    import matplotlib

    dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(format)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context(_FILES):
            made.savefig(file, dpi=dpi, metadata=dated)
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}): choose another --out") from None
