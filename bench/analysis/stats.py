"""Statistics of comparisons: intervals, paired tests with correction, average ranks. scipy does the mathematics.

Two trials are a pair if they share images, initialisation and order: dataset, imbalance, draw and seed. Everything here takes
plain arrays or the results frame, and no figure stands without its n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.records.columns import COLUMN, PAIR, keys
from lt_core.errors import UserError, unknown
from lt_core.result import OK


def t_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of the mean; None for fewer than two values, which have none."""
    from scipy import stats

    if len(values) < 2:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1)) * error
    return mean - half, mean + half


def bootstrap_interval(values: Sequence[float], level: float = 0.95, resamples: int = 9999) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean (Efron 1979), from a fixed seed; None for fewer than two values."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(values, float), (resamples, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for the number of tests, step down (Holm 1979): no smaller than before, at most 1, order kept."""
    order = np.argsort(p_values, kind="stable")
    adjusted, running = [0.0] * len(order), 0.0
    for place, index in enumerate(order):
        running = max(running, (len(order) - place) * float(p_values[index]))
        adjusted[index] = min(1.0, running)
    return adjusted


def wilcoxon(differences: Sequence[float]) -> float:
    """Two-sided p-value of the signed-rank test (Wilcoxon 1945), exact where there are neither ties nor zeros; 1 if all are zero.

    With n pairs it cannot be below 2 / 2^n: three seeds can never show p < 0.25.
    """
    from scipy import stats

    sizes = settled([0.0, *map(abs, differences)])[1:]  # a tie that the order of a sum hides is a tie
    values = np.copysign(sizes, differences)
    if not np.any(values):
        return 1.0
    return float(stats.wilcoxon(values).pvalue)


ALPHA = 0.05  # below it two figures are told apart
#: Figures closer than this, absolutely and for large ones relatively, are equal. They are counts over a fixed test part, added up
#: and divided in float64. The order of the sums moves a figure in % by some 1e-14; one image more or less of 100,000, in one
#: trial of a hundred, moves its mean by 1e-5 in %, by 1e-7 as a fraction.
NOISE = 1e-9


def settled(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """``values`` with those made equal, to the least of them, that floating-point noise alone tells apart. NaN stays.

    Whatever ranks, sorts into wins and losses, or looks for ties goes through this, so that all agree on what a tie is.
    """
    found = np.array(values, dtype=float)
    there = np.flatnonzero(~np.isnan(found))
    order = there[np.argsort(found[there], kind="stable")]
    ascending = found[order]
    apart = np.diff(ascending, prepend=-np.inf) > NOISE * np.maximum(1.0, np.abs(ascending))
    found[order] = ascending[apart][np.cumsum(apart) - 1]
    return found


def ranks(values: Sequence[float] | np.ndarray, lower_is_better: bool = False) -> np.ndarray:
    """Ranks, 1 the best; ties share the mean of their places. NaN has no rank."""
    from scipy import stats

    equal = settled(values)
    return np.asarray(stats.rankdata(equal if lower_is_better else -equal, nan_policy="omit"), dtype=float)


def p_against(values: np.ndarray, best: int) -> np.ndarray:
    """How surely each column of ``values`` is told apart from column ``best``.

    Paired t-tests over shared rows, Holm's correction for the number of tests. Not Wilcoxon's test, which cannot fall
    below 0.25 at the usual three seeds.

    Args:
        values: [pairs, methods]; NaN where a method has no finished trial.

    Returns:
        [methods], adjusted p-values; NaN where there is no test: at ``best``, with fewer than two pairs, and where all
        differences are the same, since a spread of zero is one that the test images are too few to show.
    """
    from scipy import stats

    differences = values - values[:, [best]]
    n = np.isfinite(differences).sum(axis=0)
    enough = (n >= 2) & (np.arange(values.shape[1]) != best)
    p = np.full(values.shape[1], np.nan)
    if not enough.any():
        return p
    d, n = differences[:, enough], n[enough]
    mean, error = np.nanmean(d, axis=0), np.nanstd(d, axis=0, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 2 * stats.t.sf(np.abs(mean / error), n - 1)
    none = error <= NOISE * np.maximum(1.0, np.abs(mean))
    p[enough] = np.where(none, np.where(np.abs(mean) <= NOISE, 1.0, np.nan), found)
    tested = np.isfinite(p)
    p[tested] = holm(p[tested].tolist())
    return p


def marks(values: np.ndarray, best: int) -> tuple[np.ndarray, np.ndarray]:
    """Which columns of ``values`` are not told apart from column ``best``, and which are not tested against it: [methods] each,
    bool, as `p_against` says. Where no method has two trials nothing is marked: n = 1 says it all.
    """
    p, several = p_against(values, best), bool((np.isfinite(values).sum(axis=0) > 1).any())
    others = np.arange(values.shape[1]) != best
    return others & (p > ALPHA), others & np.isnan(p) & several


@dataclass(frozen=True)
class Comparison:
    """One method against the baseline, over the pairs that both finished; differences in the figure's own unit."""

    label: str
    pairs: int
    unpaired: int  # trials of the method without a partner, failed ones included; never averaged in silence
    difference: float  # mean of method − baseline
    interval: tuple[float, float] | None  # of that mean, 95 %
    p: float
    p_holm: float  # adjusted for the number of methods compared
    wins: int  # pairs in which the method is better
    losses: int


def compare(
    frame: pd.DataFrame, baseline: str, column: str = "balanced_accuracy", lower_is_better: bool = False
) -> list[Comparison]:
    """Every label of ``frame`` against ``baseline``, best mean difference first.

    Raises:
        UserError: the baseline has no finished trial, or none shares its images and seeds.
    """
    if baseline not in set(frame["label"]):
        raise unknown("baseline", baseline, sorted(set(frame["label"])))
    keyed = frame.assign(**keys(frame, PAIR))
    done = keyed[(keyed["status"] == OK) & keyed[column].notna()]
    wide = done.pivot_table(index=PAIR, columns="label", values=column, aggfunc="mean", sort=False)
    if baseline not in wide:
        raise UserError(f"no trial of '{baseline}' is finished: there is nothing to compare against")
    found = []
    for label in dict.fromkeys(frame["label"]):
        if label == baseline:
            continue
        both = wide[[label, baseline]].dropna() if label in wide else wide.iloc[:0]
        values = [float(v) for v in both[label] - both[baseline]] if len(both) else []
        found.append((label, values, int((frame["label"] == label).sum()) - len(values)))
    if not any(len(values) for _, values, _ in found):
        raise UserError(f"no other method shares images and seeds with '{baseline}': run them in one suite")
    tested = [(label, values, alone) for label, values, alone in found if len(values)]
    p_values = [wilcoxon(values) for _, values, _ in tested]
    sign = -1 if lower_is_better else 1
    made = [
        Comparison(
            label, len(values), alone, float(np.mean(values)), t_interval(values), p, adjusted,
            sum(sign * v > NOISE for v in values), sum(sign * v < -NOISE for v in values),
        )
        for (label, values, alone), p, adjusted in zip(tested, p_values, holm(p_values), strict=True)
    ]  # fmt: skip
    return sorted(made, key=lambda c: -sign * c.difference)


@dataclass(frozen=True)
class Ranking:
    """Average ranks over blocks, 1 the best. ``friedman``: p-value that all methods rank alike; None with fewer than three
    methods or two blocks. ``critical_difference``: two average ranks closer than this are not told apart (Nemenyi, α = 0.05).
    """

    ranks: dict[str, float]
    blocks: int
    friedman: float | None
    critical_difference: float | None


def critical_difference(methods: int, blocks: int, alpha: float = 0.05) -> float:
    """q_α · √(k(k + 1) / 6N), q the studentised range over √2 (Demšar 2006, JMLR, section 3.2.2)."""
    from scipy import stats

    q = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * blocks))


def rank(frame: pd.DataFrame, column: str = "balanced_accuracy", lower_is_better: bool = False) -> Ranking:
    """Average ranks of labels over data columns (blocks), seeds and draws averaged first; ties share the mean rank. A method
    without a finished trial in some block is left out.
    """
    from scipy import stats

    keyed = frame.assign(**keys(frame, COLUMN))
    done = keyed[keyed["status"] == OK]
    wide = done.pivot_table(index=COLUMN, columns="label", values=column, aggfunc="mean", sort=False).dropna(axis=1)
    values = np.array([settled(row) for row in wide.to_numpy()]).reshape(wide.shape)
    average = np.mean([ranks(row, lower_is_better) for row in values], axis=0) if wide.size else np.array([])
    blocks, methods = wide.shape
    enough = methods >= 3 and blocks >= 2
    return Ranking(
        dict(sorted(zip(map(str, wide.columns), map(float, average), strict=True), key=lambda item: item[1])),
        blocks,
        float(stats.friedmanchisquare(*values.T).pvalue) if enough and np.ptp(values, axis=1).any() else None,
        critical_difference(methods, blocks) if methods >= 2 and blocks else None,
    )
