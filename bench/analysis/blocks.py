"""Methods over shared subsets and seeds: a block model with one standard deviation per method, and tests of differences.

A figure is its method's mean + an effect of the subset and seed (the block) + an error whose spread is specific to the method.
The effect of the block cancels in differences and is removed before spreads are estimated. It is always removed, without a
preliminary test of whether pairs have anything in common, because this costs only one degree of freedom in as many as there are
methods. Spreads are shrunk towards each other by empirical Bayes (`bench.analysis.moderated`). `benchmarks/told_apart.py`
simulates power and error rates.

With three or more subsets of the images, a block is a subset, and its seeds are averaged (`by_draw`): a method may suit some
images better than other methods do, and its seeds on the same images then repeat each other. Values are [blocks, methods], NaN
where a trial is not finished. They come from a single data column, because spreads differ between columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.moderated import limited, prior_of, shrunk
from bench.analysis.stats import ALPHA, NOISE, settled
from bench.analysis.studentized import range_p

#: With fewer subsets than this, every seed is a block, and a result applies to these images only.
DRAWS_ENOUGH = 3


def by_draw(values: np.ndarray, draws: Sequence[object]) -> np.ndarray:
    """Turn ``values`` [trials, methods] into blocks; ``draws`` [trials] names the subset of the images that each trial used.

    With three or more subsets, a block is the mean of a subset over its seeds. The means keep their precision, and the other
    methods make up for most of the lost degrees of freedom. If all 15 trials of 5 subsets × 3 seeds were blocks, equal methods
    would be declared different in 30 % of experiments when a third of a method's variance is specific to the method and the
    subset (`benchmarks/told_apart.py`).
    """
    names = list(dict.fromkeys(draws))
    if not DRAWS_ENOUGH <= len(names) < len(values):
        return values
    rows = [values[[draw == name for draw in draws]] for name in names]
    seen = np.array([np.isfinite(row).sum(axis=0) for row in rows])
    with np.errstate(invalid="ignore"):
        return np.where(seen > 0, np.array([np.nansum(row, axis=0) for row in rows]) / seen, np.nan)


@dataclass(frozen=True)
class Spreads:
    """Variances of one figure about its method's mean and its block: [methods] each; NaN where no block has two methods."""

    own: np.ndarray  # shrunk towards the variance of a typical method
    chosen: np.ndarray  # shrunk towards the pooled variance, for a method that was picked because it is the best
    df: np.ndarray
    pooled: float


def spreads(values: np.ndarray) -> Spreads:
    """Moderated variances of the methods. A method without residuals gets the prior's.

    Among equally good methods, the one that varies most is most likely to come out on top, so the best of a column is not a
    typical method: its variance is shrunk towards the mean of the variances, which the large ones dominate.
    """
    squares, free, df = _residuals(values)
    total = float(free.sum())
    methods = np.flatnonzero((df > 0) & (free > NOISE))
    nothing = np.full(values.shape[1], np.nan)
    if total < 1 - NOISE or len(methods) < 2:
        return Spreads(nothing, nothing, nothing, math.nan)
    pooled = float(squares.sum()) / total
    variance = np.full(values.shape[1], pooled)
    variance[methods] = squares[methods] / free[methods]
    df = np.where(np.isin(np.arange(len(df)), methods), df, 0.0)
    usual, d0 = prior_of(variance[methods], df[methods])
    prior_df = limited(d0, np.maximum(total - df, 0))
    without = df + prior_df <= 0
    if without.any():
        prior_df = np.where(without, 1.0, prior_df)
    return Spreads(
        shrunk(variance, df, usual, prior_df), shrunk(variance, df, pooled, prior_df), np.where(without, np.nan, df + prior_df),
        pooled,
    )  # fmt: skip


def _residuals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By method: the sum of squared residuals of the additive model, their share of its degrees of freedom, and the number of
    blocks that the method shares with others, less one.
    """
    shared = np.isfinite(values) & (np.isfinite(values).sum(axis=1, keepdims=True) > 1)
    there = shared.astype(float)
    size = np.maximum(there.sum(axis=1), 1)
    y = np.where(shared, values, 0.0)
    y = (y - y.sum(axis=1, keepdims=True) / size[:, None]) * there
    share = there / size[:, None]
    inverse = np.linalg.pinv(np.diag(there.sum(axis=0)) - there.T @ share, hermitian=True)
    effect = inverse @ y.sum(axis=0)
    residual = (y - effect + (share @ effect)[:, None]) * there
    # If all figures are equal, only floating-point noise remains. Set it to zero, or the prior would take it for a spread.
    largest = np.abs(np.where(shared, values, 0.0)).max(initial=1.0)
    residual[np.abs(residual) <= NOISE * largest] = 0.0
    across = share @ inverse
    leverage = 1 / size[:, None] + np.diag(inverse) - 2 * across + np.sum(across * share, axis=1, keepdims=True)
    return (residual**2).sum(axis=0), ((1 - leverage) * there).sum(axis=0), np.maximum(there.sum(axis=0) - 1, 0)


@dataclass(frozen=True)
class Contrasts:
    """Each method − the reference over the blocks that both finished: [methods] each; NaN at the reference and for methods that
    share no block with it.
    """

    difference: np.ndarray
    pairs: np.ndarray
    error: np.ndarray  # standard error of the difference
    tested: np.ndarray  # bool
    df: np.ndarray


def contrasts(values: np.ndarray, reference: int, chosen: bool = False) -> Contrasts:
    """Differences from column ``reference``. A method is not tested with fewer than two pairs, nor if all its differences are the
    same: a spread of zero only means that there are too few test images to show one.

    Args:
        values: [blocks, methods].
        chosen: whether the reference was picked because it has the best figures.
    """
    found = spreads(values)
    differences = values - values[:, [reference]]
    differences[:, reference] = np.nan
    there = np.isfinite(differences)
    pairs = there.sum(axis=0)
    low, high = (pick(differences, axis=0, where=there, initial=end) for pick, end in ((np.min, np.inf), (np.max, -np.inf)))
    apart = np.where(pairs > 0, high - low, 0.0)
    with np.errstate(invalid="ignore"):
        difference = np.where(there, differences, 0.0).sum(axis=0) / np.where(pairs > 0, pairs, np.nan)
    tested = (pairs >= 2) & (apart > NOISE * np.maximum(1.0, np.abs(np.nan_to_num(difference))))
    variance = found.own + (found.chosen if chosen else found.own)[reference]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance / np.where(pairs > 0, pairs, np.nan))
    return Contrasts(difference, pairs, error, tested & np.isfinite(error), np.minimum(found.df, found.df[reference]))


def p_from_best(values: np.ndarray, best: int) -> np.ndarray:
    """p-values of the differences between each method and the best one, adjusted for the choice of the best and for the number
    of methods.

    Tukey's studentized range, step by step: the method furthest from the best is compared with the range of all methods, the
    next one with that of one fewer, and so on (Newman 1939, Keuls 1952). For comparisons with the best alone this is a closed
    test. Pairwise tests of the best against the others, with or without Holm's correction, would ignore that the best was picked
    because it is far from the others.

    Returns:
        [methods]; NaN where there is no test: at ``best``, with fewer than two pairs, and where all differences are the same
        (1 where they are zero).
    """
    found = contrasts(values, best, chosen=True)
    p = np.where((found.pairs >= 2) & (np.abs(found.difference) <= NOISE) & ~found.tested, 1.0, np.nan)
    tested = np.flatnonzero(found.tested)
    ratio = np.abs(found.difference[tested]) / found.error[tested]
    order = np.argsort(-ratio, kind="stable")
    counts = len(tested) + 1 - np.arange(len(tested))
    steps = range_p(math.sqrt(2) * ratio[order], counts, found.df[tested][order])
    p[tested[order]] = np.maximum.accumulate(steps)
    return p


def marks(values: np.ndarray, best: int) -> tuple[np.ndarray, np.ndarray]:
    """Which columns of ``values`` are not significantly different from column ``best``, and which cannot be tested against it:
    [methods] each, bool, from `p_from_best`. If no method has two trials, nothing is marked: n = 1 is warning enough.
    """
    p, several = p_from_best(values, best), bool((np.isfinite(values).sum(axis=0) > 1).any())
    others = np.arange(values.shape[1]) != best
    return others & (p > ALPHA), others & np.isnan(p) & several


def means_drawn(values: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray | None:
    """``size`` draws of the methods' means as they might truly be: [size, methods]; None without two shared blocks.

    This is a parametric bootstrap: the measured mean + Student's t with the moderated spread and its degrees of freedom, drawn
    for each method separately, because the effect of a block moves all methods alike. Methods with the same figures in all
    blocks, such as two names of one rule, have the same draws. Resampling blocks would work if there were many; three blocks
    give only ten samples, and rank intervals from these contain the true rank too rarely (`benchmarks/told_apart.py`).
    """
    found, n = spreads(values), np.isfinite(values).sum(axis=0)
    if np.isnan(found.pooled) or not (n > 0).all() or np.isnan(found.df).any():
        return None
    scale = np.sqrt(found.own / n)
    scale = np.where(scale <= NOISE, 0.0, scale)
    drawn = settled(np.nanmean(values, axis=0)) + scale * generator.standard_t(found.df, (size, values.shape[1]))
    alike = np.nan_to_num(settled(values.ravel()).reshape(values.shape), nan=np.inf)
    _, first, twins = np.unique(alike, axis=1, return_index=True, return_inverse=True)
    return np.asarray(drawn[:, first[twins.ravel()]])


@dataclass(frozen=True)
class Share:
    """Share of a figure's variance about its method's mean that the block explains, with its 95 % interval."""

    share: float
    low: float
    high: float


def shared(values: np.ndarray) -> Share | None:
    """What trials of one block have in common: the intraclass correlation of consistency, from the mean squares of blocks and of
    residuals, with its interval under equal spreads (McGraw & Wong 1996, ICC(C,1)). It uses the methods that finished all blocks
    and is None if there are fewer than two such methods or two blocks, or if nothing varies. Values below zero count as 0.
    """
    from scipy import stats

    blocks = values[np.isfinite(values).any(axis=1)]
    full = blocks[:, np.isfinite(blocks).all(axis=0)]
    n, k = full.shape
    if n < 2 or k < 2:
        return None
    centred = full - full.mean(axis=0)
    effect = centred.mean(axis=1)
    between = k * float((effect**2).sum()) / (n - 1)
    within = float(((centred - effect[:, None]) ** 2).sum()) / ((n - 1) * (k - 1))
    if within <= NOISE**2:
        return None
    ratio, df = between / within, (n - 1, (n - 1) * (k - 1))
    bounds = [ratio, *(ratio / float(stats.f.ppf(q, *df)) for q in (0.975, 0.025))]
    share, low, high = (max(0.0, (f - 1) / (f + k - 1)) for f in bounds)
    return Share(share, low, high)
