"""Demšar's diagram (2006): average ranks over data columns, and bars that join methods which are not told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.analysis import stats
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import best, chosen, finished
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store

_MARGIN = 0.55  # room for names on both sides, in widths of the scale


def draw(store: Store, only: str = "*") -> Chart:
    """Ranks are taken over all methods of the run, whichever are drawn: else the choice would change them.

    Raises:
        UserError: fewer than two data columns or three methods share all blocks, or ``only`` matches none of these.
    """
    frame, notes = finished(store, "*")
    ranking = stats.rank(frame)
    if ranking.blocks < 2:
        raise UserError(f"{store.path} has one data column: ranks need two or more to be averaged over")
    if len(ranking.ranks) < 3 or ranking.critical_difference is None:
        raise UserError(f"{store.path} has {len(ranking.ranks)} methods on all of its data columns: ranks need three or more")
    kept, left = best(chosen(frame[frame["label"].isin(list(ranking.ranks))], only))
    ranks = {label: rank for label, rank in ranking.ranks.items() if label in kept}
    words = [
        f"average rank by balanced accuracy among {len(ranking.ranks)} methods over {ranking.blocks} data columns, 1 the best",
        "a bar joins methods whose ranks are closer than the critical difference (Nemenyi, α = 0.05): they are not told apart",
    ]
    if ranking.friedman is not None:
        words.append(f"Friedman's test that all rank alike: p = {ranking.friedman:.3g}")
    title = f"critical difference {ranking.critical_difference:.2f}"
    ends = (max(1, math.floor(min(ranks.values()))), math.ceil(max(ranks.values())))
    panel = _panel(title, ranks, kept, ranking.critical_difference, *ends)
    height = 1.2 + 0.28 * len(ranks)
    return Chart("critical_difference", "Average ranks", (panel,), (*words, *left, *notes), size=(8.0, height))


def cliques(ranks: Sequence[float], difference: float) -> list[tuple[float, float]]:
    """First and last rank of each largest run of ``ranks``, which ascend, that spans less than ``difference``."""
    found: list[tuple[float, float]] = []
    for first in ranks:
        last = max(rank for rank in ranks if rank - first < difference)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _panel(title: str, ranks: dict[str, float], order: list[str], difference: float, low: int, high: int) -> Panel:
    width = max(high - low, 1)
    left, right = low - _MARGIN * width, high + _MARGIN * width
    series = [_line("scale", (low, high), (0, 0), 1.5)]
    if low + difference <= right:
        series += [_line("critical difference", (low, low + difference), (1.0, 1.0), 1.5)]
        series += [_line("critical difference", (x, x), (0.92, 1.08), 1.5) for x in (low, low + difference)]
    every = max(1, round(width / 10))
    for tick in range(low, high + 1, every):
        series.append(_line("scale", (tick, tick), (0, 0.18), 1.0))
        series.append(
            Series(
                "scale", (float(tick),), (0.18,), kind="points", marks=False, listed=False, words=(str(tick),), written="above"
            )
        )
    bars = cliques(list(ranks.values()), difference)
    top = 0.35 + 0.22 * len(bars)  # bars lie between the scale and the names
    for place, (first, last) in enumerate(bars):
        y = -0.3 - 0.22 * place
        series.append(_line("not told apart", (first - 0.01 * width, last + 0.01 * width), (y, y), 3.5))
    half = -(-len(ranks) // 2)
    for place, (label, rank) in enumerate(ranks.items()):
        best_half = place < half
        level = -top - 0.5 * ((place if best_half else len(ranks) - 1 - place) + 1)
        edge, side = (left, "above-left") if best_half else (right, "above-right")
        series.append(
            Series(
                label, (rank, rank, edge), (0.0, level, level), colour=order.index(label), marks=False, listed=False, width=1.2,
                words=("", "", f"{label}  {rank:.2f}"), written=side,
            )
        )  # fmt: skip
    depth = -top - 0.5 * half - 0.3
    return Panel(title, Axis("", low=left, high=right, ticks=()), Axis(low=depth, high=1.2), tuple(series), bare=True)


def _line(name: str, x: tuple[float, float], y: tuple[float, float], width: float) -> Series:
    return Series(name, (float(x[0]), float(x[1])), y, marks=False, listed=False, width=width)
