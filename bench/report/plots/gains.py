"""Gains of tuned methods over a baseline, as declared and tuned with the same budget, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bench.analysis.comparison import Comparison
from bench.analysis.gains import read
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.gains import gains
from bench.report.tables.gains import OVER_DECLARED, OVER_TUNED, difference_words, notes
from lt_core.errors import UserError
from lt_core.labels import matches
from lt_core.metrics import metric_of

if TYPE_CHECKING:
    from bench.records.store import Store


def draw(store: Store, only: str = "*") -> Chart:
    """One line per study: its gain over the baseline as declared and over the tuned one, each with its 95 % interval.

    Raises:
        UserError: the run is no search that compares with a baseline, or ``only`` matches none of its studies.
    """
    compared, frame = read(store.path), store.frame()
    shown = [gain for gain in gains(compared, frame) if gain.over_tuned and matches(only, gain.name)]
    if not shown:
        names = ", ".join(study.name for study in compared.studies if study.name != compared.baseline)
        raise UserError(f"--only '{only}' matches no study with finished trials: {store.path} compares {names}")
    series: list[Series] = []
    for colour, (name, of) in enumerate(((OVER_DECLARED, "over_declared"), (OVER_TUNED, "over_tuned"))):
        found = {place: one for place, gain in enumerate(shown) if (one := getattr(gain, of))}
        heights = {place: 0.12 - 0.24 * colour - place for place in found}
        series += _bars(found, heights, name, colour)
        words = tuple(f"{shown[place].name}: {difference_words(one)}" for place, one in found.items())
        at = tuple(one.difference for one in found.values()), tuple(heights.values())
        series.append(Series(name, *at, kind="points", colour=colour, size=6.0, words=words))
    series.append(Series("no gain", (0.0, 0.0), (0.6, 0.4 - len(shown)), colour=None, marks=False, listed=False, dashed=True))
    metric = metric_of(compared.metric)
    ticks = tuple((-float(place), gain.name) for place, gain in enumerate(shown))
    x = Axis(f"gain in {metric.quantity}" + (" (points)" if metric.unit == "%" else ""))
    y = Axis("study", low=0.4 - len(shown), high=0.6, ticks=ticks)
    panel = Panel("", x, y, tuple(series), rows=tuple(gain.name for gain in shown))
    return Chart("gains", f"{compared.space}: gains over {compared.baseline}", (panel,), notes(compared, frame))


def _bars(found: Mapping[int, Comparison], heights: Mapping[int, float], name: str, colour: int) -> Iterator[Series]:
    """The intervals that there are, as bars."""
    for place, one in found.items():
        if one.interval:
            at = one.interval, (heights[place], heights[place])
            yield Series(name, *at, kind="bar", colour=colour, marks=False, listed=False, group=name, width=2.4)
