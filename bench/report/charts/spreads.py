"""Which spreads are bands and which are error bars, and where the bars of several lines stand so that none covers another."""

from __future__ import annotations

from collections.abc import Iterable

from bench.report.charts.chart import Panel, Series

_BANDS = 3  # the most shaded spreads in one panel; more would cover each other and are drawn as error bars
_FEW = 12  # up to this many points per line, the error bars of several lines are drawn side by side


def crowd(panel: Panel) -> int:
    """How many spreads are drawn as error bars: all if there are too many for bands, else none."""
    number = sum(bool(s.low) for s in panel.series)
    return number if number > _BANDS else 0


def named(panels: Iterable[Panel]) -> str:
    """How the spreads in these panels are drawn, for a note: ``bars``, ``bands``, or both."""
    has = {crowd(panel) > 0 for panel in panels if any(s.low for s in panel.series)}
    return " and ".join(word for word, crowded in (("bars", True), ("bands", False)) if crowded in has)


def aside(panel: Panel, s: Series) -> tuple[float, ...]:
    """The x values of a series, moved beside those of the others if it has few points and its spread is drawn as error bars."""
    number = crowd(panel)
    if not number or not s.low or len(s.x) > _FEW:
        return s.x
    steps = _place(panel, s) - (number - 1) / 2
    xs = [x for other in panel.series for x in other.x]
    if panel.x.log:
        ratio = (max(xs) / min(xs)) ** 0.016
        return tuple(x * ratio**steps for x in s.x)
    apart = 0.016 * (max(xs) - min(xs))
    return tuple(x + steps * apart for x in s.x)


def barred(panel: Panel, s: Series) -> tuple[int, int]:
    """The first point of a series that has an error bar, and every how many points another has one."""
    number = crowd(panel)
    between = 1 if len(s.x) <= _FEW else max(number, -(-len(s.x) // 8))
    return _place(panel, s) * between // number, between


def _place(panel: Panel, s: Series) -> int:
    return [other for other in panel.series if other.low].index(s)
