"""The legend below a figure: its entries, how many stand beside each other, and its height."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from bench.report.charts.chart import Chart
from bench.report.charts.measure import broken, lines, widest
from bench.report.charts.style import Look

_HANDLE = 3.0  # width of the line and mark of an entry, in letters
_COUNT = re.compile(r" \(n = \d+\)$")


@dataclass(frozen=True)
class Legend:
    """``names`` of the entries by key, broken to fit; a ``title`` that they share; and the ``height`` in points."""

    names: dict[str, str]
    beside: int
    title: str | None
    height: float


def legend(chart: Chart, look: Look) -> Legend | None:
    """The legend of a chart. A single entry needs none: the panel's title says what is drawn."""
    shown = {series.key for panel in chart.panels if panel.legend for series in panel.series}
    entries = {key: name for key, name in chart.names().items() if key in shown}
    if len(entries) < 2:
        return None
    size = look.small
    counts = [found[0] for name in entries.values() if (found := _COUNT.search(name))]
    same = counts[0] if len(counts) > 1 and len(set(counts)) == 1 else ""  # shown once, above the entries
    names = [broken(name.removesuffix(same), look.points - (_HANDLE + 2) * size, size) for name in entries.values()]
    beside = next(n for n in range(len(names), 0, -1) if n == 1 or _wide(names, n, size) <= look.points - size)
    height = (-(-len(names) // beside) * lines(names) + bool(same)) * 1.45 * size + size
    return Legend(dict(zip(entries, names, strict=True)), beside, f"{same.strip(' ()')} each" if same else None, height)


def _wide(names: list[str], beside: int, size: float) -> float:
    """The width of a legend with ``beside`` columns, which are filled one after the other."""
    rows, more = divmod(len(names), beside)
    ends = [0]
    for column in range(beside):
        ends.append(ends[-1] + rows + (column < more))
    return sum(widest(names[a:b], size) + (_HANDLE + 1) * size for a, b in itertools.pairwise(ends))
