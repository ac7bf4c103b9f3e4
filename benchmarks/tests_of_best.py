"""Tests of every method against the one that came out best, for many experiments at once: ours, those it replaced, and others.

Each takes values [experiments, blocks, methods] and the index of the best method in each experiment, and returns which methods
differ significantly from it at the 5 % level: [experiments, methods], bool. `ours` is `bench.analysis.blocks.p_from_best` for
complete tables; a test checks that the two agree.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

from bench.analysis.moderated import limited, prior_of, shrunk
from bench.analysis.studentized import range_quantile

ALPHA = 0.05
_DF = (2, 2.5, 3, 4, 6, 9, 15, 40, 1000)  # three trials leave two degrees of freedom


@cache
def _critical(count: int) -> tuple[np.ndarray, np.ndarray]:
    """1/df, ascending, and the logarithm of the 95 % quantile of the range of ``count`` values with these df."""
    return 1 / np.array(_DF)[::-1], np.log([range_quantile(1 - ALPHA, count, df) for df in _DF[::-1]])


def critical(count: int, df: np.ndarray) -> np.ndarray:
    """Quantiles of the studentized range, interpolated between a few."""
    return np.exp(np.interp(1 / np.asarray(df, float), *_critical(count)))


def _differences(values: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences from the best within blocks [experiments, blocks, methods]; and which methods are not the best."""
    differences = values - np.take_along_axis(values, best[:, None, None], axis=2)
    return differences, np.arange(values.shape[2]) != best[:, None]


def _holm(p: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of ``p`` [experiments, methods] are below 5 % after Holm's correction over ``others``."""
    order = np.argsort(np.where(others, p, 2.0), axis=1)
    count = p.shape[1] - 1
    below = np.take_along_axis(p, order, axis=1)[:, :count] <= ALPHA / (count - np.arange(count))
    told = np.zeros(p.shape, bool)
    np.put_along_axis(told, order[:, :count], np.logical_and.accumulate(below, axis=1), axis=1)
    return told


def _steps(ratio: np.ndarray, df: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The studentized range, step by step, for the ``ratio`` [experiments, methods] of differences to their standard errors."""
    count = ratio.shape[1]
    order = np.argsort(np.where(others, -ratio, np.inf), axis=1)[:, : count - 1]
    limits = np.stack([critical(count - step, df) for step in range(count - 1)], axis=1) / np.sqrt(2)
    told = np.zeros(ratio.shape, bool)
    above = np.take_along_axis(ratio, order, axis=1) > limits
    np.put_along_axis(told, order, np.logical_and.accumulate(above, axis=1), axis=1)
    return told


def _variances(values: np.ndarray, of_blocks: bool = True) -> np.ndarray:
    """Variance of each method about its mean and, with ``of_blocks``, about the block: [experiments, methods]."""
    residual = values - values.mean(axis=1, keepdims=True)
    methods = values.shape[2]
    if of_blocks:
        residual = residual - residual.mean(axis=2, keepdims=True)
    return (residual**2).sum(axis=1) / (values.shape[1] - 1) * (methods / (methods - 1) if of_blocks else 1)


def paired_t(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Paired t-tests with Holm's correction, which tables used before."""
    differences, others = _differences(values, best)
    n = values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(differences.mean(axis=1)) / (differences.std(axis=1, ddof=1) / np.sqrt(n))
    return _holm(2 * stats.t.sf(ratio, n - 1), others)


def wilcoxon(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Signed-rank tests with Holm's correction, which `compare` used before."""
    differences, others = _differences(values, best)
    n = values.shape[1]
    ways = np.ones(1)
    for rank in range(1, n + 1):  # the number of ways to reach each sum of positive ranks
        ways = np.convolve(ways, np.r_[1.0, np.zeros(rank - 1), 1.0])
    ranks = np.abs(differences).argsort(axis=1).argsort(axis=1) + 1
    positive = (ranks * (differences > 0)).sum(axis=1)
    return _holm(np.minimum(1, 2 * np.cumsum(ways)[np.minimum(positive, n * (n + 1) // 2 - positive)] / 2**n), others)


def _pooled(values: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """|difference| over its standard error, from the pooled variance of randomised blocks; its degrees of freedom; the others."""
    differences, others = _differences(values, best)
    n, methods = values.shape[1:]
    error = np.sqrt(2 * _variances(values).mean(axis=1) / n)
    return np.abs(differences.mean(axis=1)) / error[:, None], (n - 1) * (methods - 1), others


def tukey(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Tukey's test with the pooled variance."""
    ratio, df, others = _pooled(values, best)
    return others & (ratio > critical(values.shape[2], df) / np.sqrt(2))


@cache
def _dunnett(methods: int, df: int) -> float:
    """The 95 % quantile of Dunnett's statistic from 40,000 draws. scipy's is exact but takes seconds for 70 methods."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((40_000, methods))
    spread = np.sqrt(2 * generator.chisquare(df, 40_000) / df)
    return float(np.quantile(np.abs(values[:, 1:] - values[:, :1]).max(axis=1) / spread, 1 - ALPHA))


def dunnett(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Dunnett's test with the pooled variance, as if the best had been named beforehand."""
    ratio, df, others = _pooled(values, best)
    return others & (ratio > _dunnett(values.shape[2], df))


def moderated_pairs(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Moderated t-tests of the paired differences, with Holm's correction."""
    differences, others = _differences(values, best)
    n, methods = values.shape[1:]
    variance = differences.var(axis=1, ddof=1)
    prior, df = prior_of(variance[others].reshape(len(values), methods - 1), n - 1, alike=1e-6)
    made = shrunk(variance, n - 1, prior[:, None], df[:, None])
    return _holm(2 * stats.t.sf(np.abs(differences.mean(axis=1)) / np.sqrt(made / n), (df + n - 1)[:, None]), others)


def _moderated(values: np.ndarray, best: np.ndarray, of_blocks: bool) -> np.ndarray:
    differences, others = _differences(values, best)
    n = values.shape[1]
    variance = _variances(values, of_blocks)
    prior, df = prior_of(variance, n - 1, alike=1e-6)
    made = shrunk(variance, n - 1, prior[:, None], df[:, None])
    error = np.sqrt((made + np.take_along_axis(made, best[:, None], axis=1)) / n)
    return _holm(2 * stats.t.sf(np.abs(differences.mean(axis=1)) / error, (df + n - 1)[:, None]), others)


def moderated(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Moderated t-tests without pairs, with Holm's correction."""
    return _moderated(values, best, of_blocks=False)


def moderated_blocks(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Moderated t-tests within blocks, with Holm's correction."""
    return _moderated(values, best, of_blocks=True)


def ours(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """The studentized range, step by step, with variances within blocks that are moderated and limited."""
    differences, others = _differences(values, best)
    n, methods = values.shape[1:]
    variance = _variances(values)
    prior, d0 = prior_of(variance, n - 1)
    df = limited(d0, (n - 1) * (methods - 2))[:, None]
    usual = shrunk(variance, n - 1, prior[:, None], df)
    chosen = np.take_along_axis(shrunk(variance, n - 1, variance.mean(axis=1, keepdims=True), df), best[:, None], axis=1)
    ratio = np.abs(differences.mean(axis=1)) / np.sqrt((usual + chosen) / n)
    return _steps(ratio, df[:, 0] + n - 1, others)


def ours_named(values: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Tests against a baseline that was named beforehand, like `compare` on one data column: t-tests with the same spreads and
    Holm's correction.
    """
    differences, others = _differences(values, baseline)
    n, methods = values.shape[1:]
    variance = _variances(values)
    prior, d0 = prior_of(variance, n - 1)
    df = limited(d0, (n - 1) * (methods - 2))[:, None]
    made = shrunk(variance, n - 1, prior[:, None], df)
    error = np.sqrt((made + np.take_along_axis(made, baseline[:, None], axis=1)) / n)
    return _holm(2 * stats.t.sf(np.abs(differences.mean(axis=1)) / error, df + n - 1), others)


#: Tests against a baseline that was named beforehand.
NAMED = {"ours": ours_named, "paired t, Holm": paired_t, "Wilcoxon, Holm (before)": wilcoxon}
TESTS = {
    "ours": ours,
    "paired t, Holm (before)": paired_t,
    "Wilcoxon, Holm (before)": wilcoxon,
    "pooled, Tukey": tukey,
    "pooled, Dunnett": dunnett,
    "moderated pairs, Holm": moderated_pairs,
    "moderated, Holm": moderated,
    "moderated blocks, Holm": moderated_blocks,
}
