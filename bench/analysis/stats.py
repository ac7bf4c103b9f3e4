"""The basis of all comparisons: ties, ranks, Student's and bootstrap intervals, Holm's correction. scipy does the mathematics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def t_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of the mean; None for fewer than two values."""
    from scipy.special import stdtrit  # for one quantile `scipy.stats` takes ten times as long

    if len(values) < 2:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stdtrit(len(values) - 1, 0.5 + level / 2)) * error
    return mean - half, mean + half


def bootstrap_interval(values: Sequence[float], level: float = 0.95, resamples: int = 9999) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean (Efron 1979), from a fixed seed; None for fewer than two values."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(values, float), (resamples, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for the number of tests, step down (Holm 1979). None gets smaller or exceeds 1; the order is kept."""
    order = np.argsort(p_values, kind="stable")
    adjusted, running = [0.0] * len(order), 0.0
    for place, index in enumerate(order):
        running = max(running, (len(order) - place) * float(p_values[index]))
        adjusted[index] = min(1.0, running)
    return adjusted


ALPHA = 0.05  # two figures differ significantly if p is below this
#: Figures that are closer than this (relatively, if they exceed 1) are equal. They are counts over a fixed test set, added up and
#: divided in float64. The order of summation changes a figure in % by about 1e-14; one image in 100,000, in one trial of a
#: hundred, changes the mean by 1e-5 in %, or by 1e-7 as a fraction.
NOISE = 1e-9


def settled(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """``values``, where those that differ only by floating-point noise are set to the smallest of them. NaN is kept.

    Everything that ranks, counts wins and losses, or looks for ties uses this function, so that all agree on what a tie is.
    """
    found = np.array(values, dtype=float)
    there = np.flatnonzero(~np.isnan(found))
    order = there[np.argsort(found[there], kind="stable")]
    ascending = found[order]
    apart = np.diff(ascending, prepend=-np.inf) > NOISE * np.maximum(1.0, np.abs(ascending))
    found[order] = ascending[apart][np.cumsum(apart) - 1]
    return found


def ranks(values: Sequence[float] | np.ndarray, lower_is_better: bool = False) -> np.ndarray:
    """Ranks, where 1 is the best and ties share the mean of their places. NaN has no rank."""
    from scipy import stats

    equal = settled(values)
    return np.asarray(stats.rankdata(equal if lower_is_better else -equal, nan_policy="omit"), dtype=float)
