"""Mean ranks over data columns, with 95 % intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.analysis.comparable import BASELINE, chosen
from bench.analysis.ranking import rank
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import best, finished, others
from lt_core.errors import UserError
from lt_core.labels import counted

if TYPE_CHECKING:
    from bench.records.store import Store

_ROWS = 30  # the most methods, which fill a page of a paper
_OURS, _BASELINE = 3, 0  # colours


def draw(store: Store, only: str = "*") -> Chart:
    """Average ranks among all methods of the run, whichever of them are drawn; otherwise ``only`` would change the ranks.

    Raises:
        UserError: fewer than three methods were run on all data columns, or ``only`` matches none of these.
    """
    frame, notes = finished(store, "*")
    ranking = rank(frame)
    if len(ranking.ranks) < 3:
        raise UserError(
            f"{store.path} has {len(ranking.ranks)} methods that were run on all of its data columns, but ranks "
            "need at least three"
        )
    ranked = chosen(frame[frame["label"].isin(list(ranking.ranks))], only)
    kept, left = best(ranked, others(store, "ranks"), _ROWS)
    shown = [label for label in ranking.ranks if label in kept]
    columns = counted(ranking.columns, "data column")
    words = [f"mean rank by balanced accuracy among {len(ranking.ranks)} methods over {columns}; 1 is best"]
    if ranking.intervals:
        words.append(
            "bars: 95 % interval of a method's rank on these data columns, from the standard deviations and n of its "
            "figures; percentage: probability that no other method has a better rank"
        )
    else:
        words.append("no intervals, because in some data column the methods share fewer than two subsets or seeds")
    if ranking.friedman is not None:
        words.append(f"Friedman's test of equal ranks, treating the data columns as a random sample: p = {ranking.friedman:.3g}")
    series: list[Series] = []
    for place, label in enumerate(shown):
        average, colour = ranking.ranks[label], _BASELINE if label == BASELINE else _OURS
        ends = ranking.intervals.get(label)
        said = f"{average:.2f}"
        if ends is not None:
            series.append(Series(label, ends, (-place, -place), kind="bar", colour=colour, marks=False, listed=False, width=2.4))
            said += f" ({100 * ranking.chances[label]:.0f} %)"
        series.append(
            Series(
                label, (average,), (-place,), kind="points", colour=colour, listed=False, words=(said,), written=True, size=5.0
            )
        )
    ticks = tuple((-float(place), label) for place, label in enumerate(shown))
    x, y = (
        Axis("average rank", low=0.5, high=len(ranking.ranks) + 0.5),
        Axis("method", low=0.4 - len(shown), high=0.6, ticks=ticks),
    )
    panel = Panel(f"{columns}, {len(ranking.ranks)} methods", x, y, tuple(series), rows=tuple(shown), legend=False)
    return Chart("ranks", "Average ranks", (panel,), (*words, *left, *notes))
