"""Average ranks over data columns, their intervals, and each method's probability of being the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from bench.analysis import blocks
from bench.analysis.comparison import as_blocks, columns_of
from bench.analysis.stats import ranks, settled

DRAWS = 4000  # of the means: enough for intervals of ranks to a tenth of a rank, and probabilities to 0.01


@dataclass(frozen=True)
class Ranking:
    """Average ranks over data columns, 1 the best, best first.

    ``friedman``: p-value of equal ranks, treating the columns as a random sample; None with fewer than three methods or two
    columns. ``intervals``: label → 95 % interval of its rank on these data columns; ``chances``: label → probability that no
    other method has a better rank. Both are empty if some column does not have two shared subsets or seeds.
    """

    ranks: dict[str, float]
    columns: int
    friedman: float | None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    chances: dict[str, float] = field(default_factory=dict)


def rank(frame: pd.DataFrame, column: str = "balanced_accuracy", lower_is_better: bool = False, draws: int = DRAWS) -> Ranking:
    """Average ranks of labels over data columns, after averaging seeds and subsets; ties share the mean rank. A method without
    a finished trial in some column is left out. The intervals come from ``draws`` simulated means with a fixed seed; with 0
    there are none.
    """
    from scipy import stats

    tables = list(columns_of(frame, column).values())
    labels = [label for label in sorted({str(c) for wide in tables for c in wide}) if all(label in wide for wide in tables)]
    if not labels:
        return Ranking({}, len(tables), None)
    means = np.array([settled(wide[labels].mean().to_numpy()) for wide in tables])
    average = np.mean([ranks(row, lower_is_better) for row in means], axis=0)
    order = np.argsort(average, kind="stable")
    enough = len(labels) >= 3 and len(tables) >= 2
    friedman = float(stats.friedmanchisquare(*means.T).pvalue) if enough and np.ptp(means, axis=1).any() else None
    found = drawn_ranks([as_blocks(wide[labels]) for wide in tables], lower_is_better, draws) if draws else None
    named = {labels[i]: float(average[i]) for i in order}
    if found is None:
        return Ranking(named, len(tables), friedman)
    lows, highs = np.quantile(found, [0.025, 0.975], axis=0)
    chances = chances_of(found)
    return Ranking(
        named, len(tables), friedman, {labels[i]: (float(lows[i]), float(highs[i])) for i in order},
        {labels[i]: float(chances[i]) for i in order},
    )  # fmt: skip


def drawn_ranks(
    columns: Sequence[np.ndarray], lower_is_better: bool = False, draws: int = DRAWS, ties: Literal["average", "min"] = "average"
) -> np.ndarray | None:
    """Simulated average ranks [draws, methods]; None if a column does not have two shared blocks.

    Args:
        columns: [blocks, methods] of each data column, the same methods in all.
        ties: the rank of methods that tie: the mean of their places, or the best of them.
    """
    from scipy import stats

    generator, found = np.random.default_rng(0), []
    for values in columns:
        means = blocks.means_drawn(values, draws, generator)
        if means is None:
            return None
        found.append(stats.rankdata(means if lower_is_better else -means, method=ties, axis=1))
    return np.asarray(np.mean(found, axis=0), dtype=float)


def chances_of(ranks: np.ndarray) -> np.ndarray:
    """How often no other method has a lower rank in ``ranks`` [draws, methods]; it counts for each of the methods that tie."""
    return np.asarray(np.isclose(ranks, ranks.min(axis=1, keepdims=True), rtol=0, atol=1e-9).mean(axis=0))
