"""The gallery of the documentation: every kind of chart, drawn from committed rows when the documentation is built."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.records.store import Store
from bench.report.charts import Chart
from bench.report.charts.fit import caption
from bench.report.charts.style import look
from bench.report.plots import PLOTS, write

ROOT = Path(__file__).parents[2]
PAGE = "gallery.md"
#: Kind → the run below results/ that it is shown of, and which of its methods.
SHOWN = {
    "factors": ("quick", "*"),
    "per_class": ("cifar10_drw", "*"),
    "priors": ("cifar10_drw", "*"),
    "pareto": ("catalogue", "*"),
    "ranks": ("quick", "*"),
    "win_tie_loss": ("quick", "*"),
    "confusion": ("cifar10_drw", "*"),
    "calibration": ("cifar10_drw", "*"),
    "curves": ("cifar10_drw", "*"),
    "heatmap": ("quick", "*"),
    "gains": ("equal_budget_cifar10", "*"),
    "generations": ("crest_digits", "crest*"),
    "tsne": ("joint_digits", "joint_a*"),
    "translations": ("joint_digits", "joint_alt"),
}
_WIDTHS = {1: "one column", 2: "two columns"}


@cache
def chart(kind: str) -> Chart:
    """The chart that the gallery shows of a kind."""
    run, only = SHOWN[kind]
    return PLOTS[kind](Store(ROOT / "results" / run), only)


def sections() -> str:
    """A section for every kind of chart: what it is, the command, both pictures, and what their captions must say."""
    made = []
    for kind in PLOTS:
        run, only = SHOWN[kind]
        about = (inspect.getdoc(inspect.getmodule(PLOTS[kind])) or "").splitlines()[0]
        chosen = "" if only == "*" else f" --only '{only}'"
        made += [f"## {kind}", about, f"    python bench.py plot {kind} --run {run}{chosen}"]
        made += [f"![{chart(kind).title}, {width}](gallery/{kind}-{columns}.svg)" for columns, width in _WIDTHS.items()]
        notes = dict.fromkeys(note for columns in _WIDTHS for note in caption(chart(kind), look("paper", columns)))
        made += ["\n".join(f"- {note}" for note in notes)]
    return "\n\n".join(made) + "\n"


def pictures() -> Iterator[tuple[str, bytes]]:
    """Path of each picture in the site, and its SVG."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in PLOTS:
            for columns in _WIDTHS:
                file = Path(folder) / f"{kind}-{columns}.svg"
                write(chart(kind), file, look("paper", columns))
                yield f"gallery/{file.name}", file.read_bytes()
