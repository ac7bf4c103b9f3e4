"""Gains of tuned methods over a baseline, as declared and tuned with the same budget, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bench.analysis.comparison import Comparison
from bench.analysis.gains import read
from bench.records.beside import Beside
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.gains import gains
from bench.report.tables.gains import OVER_DECLARED, OVER_TUNED, difference_words, notes
from lt_core.errors import UserError
from lt_core.labels import matches, unmatched
from lt_core.metrics import metric_of

if TYPE_CHECKING:
    from bench.records.store import Store


def draw(store: Store, only: str = "*") -> Chart:
    """One line per study: its gain over the baseline as declared and over the tuned one, each with its 95 % interval.

    Raises:
        UserError: the run is no search that compares with a baseline, no study has a gain, or ``only`` matches none of them.
    """
    if isinstance(store, Beside):
        raise UserError("--beside: the gains of a search come from its own trials alone: leave out --beside")
    compared, frame = read(store.path), store.frame()
    made = [gain for gain in gains(compared, frame) if gain.over_tuned]
    names = [gain.name for gain in made]
    if not made:
        raise UserError(f"{store.path} has no study beside {compared.baseline} that was run on the same images and seeds")
    if wrong := unmatched(only, names) or ([] if any(matches(only, name) for name in names) else [only]):
        raise UserError(f"--only: '{wrong[0]}' matches no study of the run, which compares {', '.join(names)}")
    shown = [gain for gain in made if matches(only, gain.name)]
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
