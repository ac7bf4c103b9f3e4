"""A chart as a matplotlib figure of a given width, and as PDF, SVG or PNG."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report.charts.chart import Chart
from bench.report.charts.grid import places
from bench.report.charts.matrix import add_bar
from bench.report.charts.measure import broken, lines, widest
from bench.report.charts.panel import add_panel
from bench.report.charts.style import FORMATS, PAPER, Look
from lt_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Text stays text in SVG. In PDF, fonts are embedded as TrueType, because publishers reject the default, Type 3.
_FILES = {"svg.hashsalt": "lt-bench", "svg.fonttype": "none", "pdf.fonttype": 42, "ps.fonttype": 42}
_HANDLE = 3.0  # width of the line and mark of a legend entry, in letters
_COUNT = re.compile(r" \(n = \d+\)$")


def draw(chart: Chart, look: Look = PAPER) -> Figure:
    """All panels of ``chart``, in a figure that is as high as they need, with one legend below them."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    (placed, heights), names = places(chart, look), chart.names()
    with matplotlib.rc_context({"font.size": look.font, "text.parse_math": False, "axes.linewidth": 0.6 * look.weight}):
        entries: dict[str, Any] = {}
        made = Figure(layout=ConstrainedLayoutEngine(w_pad=3 / 72, h_pad=3 / 72, wspace=0.02, hspace=0.02))
        grid = made.add_gridspec(len(heights), 1 + max(place.column for place in placed), height_ratios=heights)
        for place in placed:
            axis = made.add_subplot(grid[place.row, place.column])
            handles = add_panel(axis, place.panel, place.room, look)
            if place.bar and place.panel.heat:
                add_bar(axis, place.panel.heat, place.room, look)
            entries = {**{names[series.key]: handle for series, handle in handles if place.panel.legend}, **entries}
        height = sum(heights) + _legend(made, entries, look)
        made.set_size_inches(look.width, height / 72)
    return made


def _legend(made: Figure, entries: dict[str, Any], look: Look) -> float:
    """Add the legend and return its height in points. A single entry needs no legend: the panel's title says what is drawn."""
    if len(entries) < 2:
        return 0.0
    size = look.small
    counts = [found[0] for name in entries if (found := _COUNT.search(name))]
    same = counts[0] if len(counts) > 1 and len(set(counts)) == 1 else ""  # shown once, above the entries
    names = [broken(name.removesuffix(same), look.points - (_HANDLE + 2) * size, size) for name in entries]
    beside = next(n for n in range(len(names), 0, -1) if n == 1 or _wide(names, n, size) <= look.points - size)
    made.legend(
        list(entries.values()), names, loc="outside lower center", ncols=beside, frameon=False, fontsize=size,
        handlelength=2.2, columnspacing=1.0, borderpad=0.1, borderaxespad=0.2, labelspacing=0.3, title_fontsize=size,
        title=f"{same.strip(' ()')} each" if same else None,
    )  # fmt: skip
    return (-(-len(names) // beside) * lines(names) + bool(same)) * 1.45 * size + size


def _wide(names: list[str], beside: int, size: float) -> float:
    """The width of a legend with ``beside`` columns, which are filled one after the other."""
    rows, more = divmod(len(names), beside)
    ends = [0]
    for column in range(beside):
        ends.append(ends[-1] + rows + (column < more))
    return sum(widest(names[a:b], size) + (_HANDLE + 1) * size for a, b in itertools.pairwise(ends))


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
