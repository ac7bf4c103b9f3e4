"""How a chart is laid out so that it is no higher than a page, and what is left out if it does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.report.charts.chart import Chart
from bench.report.charts.grid import Place, places
from bench.report.charts.legend import Legend, legend
from bench.report.charts.style import Look
from lt_core.errors import some


@dataclass(frozen=True)
class Fit:
    """``chart`` with the panels that are drawn, their ``places``, the ``heights`` of rows in points, and the legend if any."""

    chart: Chart
    places: list[Place]
    heights: list[float]
    legend: Legend | None

    @property
    def height(self) -> float:
        """Height of the figure in points."""
        return sum(self.heights) + (self.legend.height if self.legend else 0.0)


def fit(chart: Chart, look: Look) -> Fit:
    """The layout of a chart in the most legible way that fits on a page: roomy, with lower axes, with more and smaller panels
    side by side, or without the last panels. One panel is always drawn.
    """
    few, many = _beside(chart, look, chart.least), _beside(chart, look, min(chart.least, chart.smallest))
    for columns, low in ((few, False), (few, True), (many, False), (many, True)):
        made = _laid(chart, look, columns, low)
        if made.height <= 72 * look.height:
            return made
    return made if len(chart.panels) == 1 else fit(replace(chart, panels=chart.panels[:-1]), look)


def caption(chart: Chart, look: Look) -> tuple[str, ...]:
    """What a caption must say: the notes of a chart, and which of its panels are left out of a figure of this look."""
    made = fit(chart, look)
    drawn, left = made.chart.panels, chart.panels[len(made.chart.panels) :]
    there = {panel.title for panel in drawn}
    names = [f"{panel.title} ({panel.y.title})" if panel.title in there else panel.title for panel in left]
    how = "`--columns 2` or a smaller `--font-size`" if look.narrow else "a smaller `--font-size`"
    said = [f"left out, because the figure would be higher than {look.height:g} inches: {some(names)}"] if left else []
    said += [f"the figure is {made.height / 72:.1f} inches high, more than {look.height:g}"] * (made.height > 72 * look.height)
    return *chart.notes, *(f"{words}; choose fewer methods with `--only`, or use {how}" for words in said)


def _beside(chart: Chart, look: Look, least: float) -> int:
    """How many panels fit side by side if each is at least ``least`` letters wide, but no more than the chart asks for."""
    return max(1, min(len(chart.panels), chart.columns, int(look.points / (least * look.font))))


def _laid(chart: Chart, look: Look, columns: int, low: bool) -> Fit:
    return Fit(chart, *places(chart, look, columns, low), legend(chart, look))
