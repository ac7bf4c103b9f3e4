"""Every figure that a table may want, from a confusion matrix and calibration bins. Pure numpy.

All figures are fractions in 0…1. A figure that does not exist (few-shot accuracy where no class is few-shot) is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MANY, FEW = 100, 20  # many: > 100 training images, few: < 20, medium: between (Liu et al. 2019)
BINS = 15


def metrics(confusion: Any, train_counts: Sequence[float], calibration: Any = None) -> dict[str, float]:
    """Accuracy, balanced accuracy and the rest.

    Args:
        confusion: [C, C] counts; row = true class, column = predicted.
        train_counts: [C] training images, for the many/medium/few groups.
        calibration: [3, bins] from `calibration_bins`; without it ``ece`` is NaN.
    """
    matrix = np.asarray(confusion, dtype=float)
    recalls, precisions = recall(matrix), precision(matrix)
    there = ~np.isnan(recalls)
    found = recalls[there]
    both = recalls + precisions
    f1 = np.divide(2 * recalls * precisions, both, out=np.zeros(len(both)), where=both > 0)
    counts = np.asarray(train_counts, dtype=float)
    smallest = np.flatnonzero(there & (counts == counts.min()) & (counts < counts.max()))
    accuracy = float(np.trace(matrix) / matrix.sum())
    return {
        "accuracy": accuracy,
        "error": 1 - accuracy,
        "balanced_accuracy": _mean(recalls),  # = ACSA = mean per-class recall
        "macro_f1": float(f1[there].mean()),
        "minority_f1": _mean(f1[smallest]),  # of the class with the fewest training images; the mean where several have as few
        "g_mean": float(np.prod(found) ** (1 / len(found))),
        "many_accuracy": _mean(recalls[counts > MANY]),
        "medium_accuracy": _mean(recalls[(counts >= FEW) & (counts <= MANY)]),
        "few_accuracy": _mean(recalls[counts < FEW]),
        "ece": expected_calibration_error(calibration) if calibration is not None else float("nan"),
    }


def headline(confusion: Any) -> dict[str, float]:
    """Accuracy and balanced accuracy alone."""
    matrix = np.asarray(confusion, dtype=float)
    return {"accuracy": float(np.trace(matrix) / matrix.sum()), "balanced_accuracy": _mean(recall(matrix))}


def collapsed(confusion: Any, share: float = 0.99) -> bool:
    """Whether nearly every prediction is one class: a training that came to nothing without saying so."""
    predicted = np.asarray(confusion, dtype=float).sum(axis=0)
    return bool(predicted.max() >= share * predicted.sum())


def recall(confusion: np.ndarray) -> np.ndarray:
    """[C] share of each class's images that are found; NaN for a class without images."""
    matrix = np.asarray(confusion, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diag(matrix) / matrix.sum(axis=1)


def precision(confusion: np.ndarray) -> np.ndarray:
    """[C] share of the predictions of each class that are right; 0 for a class never predicted."""
    matrix = np.asarray(confusion, dtype=float)
    predicted = matrix.sum(axis=0)
    return np.divide(np.diag(matrix), predicted, out=np.zeros(len(matrix)), where=predicted > 0)


def calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """[3, 15]: images, summed confidence and correct predictions in equal bins of confidence ((0, 1/15], …)."""
    place = np.clip(np.ceil(np.nan_to_num(confidence) * BINS).astype(int) - 1, 0, BINS - 1)
    return np.stack([np.bincount(place, weights=w, minlength=BINS) for w in (np.ones_like(confidence), confidence, correct)])


def expected_calibration_error(bins: Any) -> float:
    """Σ_b |correct_b − confidence_b| / N (Guo et al. 2017, Eq. 5)."""
    images, confidence, correct = np.asarray(bins, dtype=float)
    return float(np.abs(correct - confidence).sum() / images.sum())


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are there."""
    values = values[~np.isnan(values)]
    return float(values.sum() / len(values)) if len(values) else float("nan")
