"""Variances estimated from few trials, shrunk towards each other by empirical Bayes (Smyth 2004, SAGMB 3(1), article 3).

Three trials say little about a method's spread, but those of eighteen methods together say a lot. Smyth's model: the variances
σ² of the methods are s₀²·d₀/χ² with d₀ degrees of freedom, and a method's own estimate s² is σ²·χ²/d with d. The estimate to use
is then (d₀s₀² + ds²)/(d₀ + d), with d₀ + d degrees of freedom. Everything here works along the last axis.

Two limits are needed where methods or trials are few (`benchmarks/told_apart.py`): the logarithms of the variances are never
assumed to be more alike than `ALIKE`, and the other methods of a column cannot lend a method more degrees of freedom than they
have.
"""

from __future__ import annotations

import numpy as np

Numbers = np.ndarray | float

#: The smallest variance that the logarithms of the methods' variances are assumed to have. With three trials each, eighteen
#: methods whose spreads differ threefold look alike in every third experiment; tests that believed this would reject too often.
#: 0.2 corresponds to d₀ ≈ 11.
ALIKE = 0.2
_LEAST = 1e-5  # share of the mean: a variance that is zero by chance, from few trials, has no logarithm


def trigamma_inverse(values: np.ndarray) -> np.ndarray:
    """The y > 0 with ψ′(y) = ``values`` > 0, by Newton's method (Smyth 2004, appendix)."""
    from scipy import special

    x = np.asarray(values, dtype=float)
    y = 0.5 + 1 / x
    for _ in range(50):  # it converges monotonically; eight steps are usual
        trigamma = special.polygamma(1, y)
        step = trigamma * (1 - trigamma / x) / special.polygamma(2, y)
        y = y + step
        if np.all(-step <= 1e-10 * y):
            break
    return np.asarray(y)


def prior_of(variances: np.ndarray, df: np.ndarray, alike: float = ALIKE) -> tuple[np.ndarray, np.ndarray]:
    """s₀² and d₀ from the mean and the variance of log s² (Smyth 2004, section 6.2).

    Args:
        variances: [..., methods], of at least two methods, each with ``df`` > 0 degrees of freedom (broadcast).
        alike: lower bound of the variance of log σ² over methods.

    Returns:
        s₀² [...] and d₀ [...].
    """
    from scipy import special

    df = np.broadcast_to(np.asarray(df, float), np.shape(variances))
    least = np.maximum(_LEAST * np.mean(variances, axis=-1, keepdims=True), np.finfo(float).tiny)
    log = np.log(np.maximum(variances, least))
    log = log - special.digamma(df / 2) + np.log(df / 2)
    apart = log.var(axis=-1, ddof=1) - special.polygamma(1, df / 2).mean(axis=-1)
    d0 = 2 * trigamma_inverse(np.maximum(apart, alike))
    return np.exp(log.mean(axis=-1) + special.digamma(d0 / 2) - np.log(d0 / 2)), d0


def limited(d0: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Degrees of freedom that a prior with ``d0`` lends to a method, where all other methods have ``others`` together:
    1/(1/d₀ + 1/others), and none if these have none.
    """
    others = np.asarray(others, float)
    with np.errstate(divide="ignore"):
        return np.where(others > 0, 1 / (1 / np.asarray(d0, float) + 1 / others), 0.0)


def shrunk(variances: Numbers, df: Numbers, prior: Numbers, prior_df: Numbers) -> np.ndarray:
    """(d₀s₀² + ds²)/(d₀ + d). With d₀ = 0 it is the method's own variance, with d₀ = ∞ the prior's.

    >>> import math
    >>> print(shrunk(4.0, 2, 1.0, 4), shrunk(4.0, 2, 1.0, 0), shrunk(4.0, 2, 1.0, math.inf))
    2.0 4.0 1.0
    """
    own = np.where(np.isinf(prior_df), 0.0, np.asarray(df) / (np.where(np.isinf(prior_df), 0.0, prior_df) + df))
    return own * np.asarray(variances) + (1 - own) * np.asarray(prior)
