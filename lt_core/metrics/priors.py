"""Accuracy on test sets with any class frequencies q, without sampling a test set: Σ_c q_c · recall_c."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

#: Factors of the test sets of SADE (Zhang et al. 2022), forward and backward.
FACTORS = (50, 25, 10, 5, 2)
#: Name of a test prior → its factor, from the most forward to the most backward. The uniform prior, factor 1, is not listed.
TEST_PRIORS: dict[str, float] = {f"forward_{factor}": float(factor) for factor in FACTORS} | {
    f"backward_{factor}": 1 / factor for factor in reversed(FACTORS)
}


def long_tailed_prior(train_counts: Sequence[float], factor: float) -> np.ndarray:
    """Class frequencies q [C] of a long-tailed test set, which sum to 1: q_c ∝ factor^(−rank_c / (C − 1)), where rank 0 is the
    largest class in training.

    The profile is that of SADE's test sets (Zhang et al. 2022, NeurIPS; `get_img_num_per_cls` in Vanint/SADE-AgnosticLT at
    511ef56), whose code rounds each class down to whole images. Classes of the same size share the mean of their ranks, so that
    the order of the labels does not matter: two sizes (step imbalance) give two frequencies, and a single size gives a uniform q.

    >>> long_tailed_prior([900, 90, 9], factor=4).round(3).tolist()
    [0.571, 0.286, 0.143]

    Args:
        train_counts: [C] training images of each class.
        factor: frequency of the head divided by that of the tail. Above 1 the head is more frequent, as in training (forward);
            below 1 the tail is, and backward by f is the factor 1 / f.
    """
    made: np.ndarray = _priors(tuple(train_counts), (factor,))[0]
    return made


@lru_cache(maxsize=4096)
def _priors(train_counts: tuple[float, ...], factors: tuple[float, ...]) -> np.ndarray:
    """The priors at each of ``factors``: [F, C], read-only, because the trials of one subset share them."""
    _, place, alike = np.unique(-np.asarray(train_counts, dtype=float), return_inverse=True, return_counts=True)
    rank = (np.cumsum(alike) - (alike + 1) / 2)[place]
    shares = np.asarray(factors, dtype=float)[:, None] ** (-rank / max(1, len(rank) - 1))
    shares /= shares.sum(axis=1, keepdims=True)
    shares.setflags(write=False)
    return np.asarray(shares)


def accuracies_under(recall: Sequence[float] | np.ndarray, train_counts: Sequence[float], factors: Sequence[float]) -> np.ndarray:
    """Expected accuracy, in 0…1, on test images with the frequencies of `long_tailed_prior` at each of ``factors``: [F].

    This is the average over test sets sampled by q, without sampling noise. (SADE's code applies the training's augmentation to
    its long-tailed test sets of CIFAR, so that figures for these and for its uniform test set are measured on different images.)

    >>> accuracies_under([0.9, 0.6, 0.3], [900, 90, 9], factors=[4, 1]).round(3).tolist()
    [0.729, 0.6]

    Args:
        recall: [C] of the classes that have test images (`Outcome.tested`).
        train_counts: [C] training images of each class.
        factors: see `long_tailed_prior`; 1 gives balanced accuracy.
    """
    made: np.ndarray = _priors(tuple(train_counts), tuple(factors)) @ np.asarray(recall, dtype=float)
    return made
