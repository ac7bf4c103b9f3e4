"""What is counted of predictions: recall and precision of a confusion matrix, bins of confidence. Pure numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 15


def recall(confusion: Any) -> np.ndarray:
    """[C] share of each class's images that are found; NaN for a class without images."""
    matrix = np.asarray(confusion, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: np.ndarray = matrix.diagonal() / matrix.sum(axis=1)
        return out


def precision(confusion: Any) -> np.ndarray:
    """[C] share of the predictions of each class that are right; 0 for a class never predicted."""
    matrix = np.asarray(confusion, dtype=float)
    predicted = matrix.sum(axis=0)
    out: np.ndarray = np.divide(matrix.diagonal(), predicted, out=np.zeros(len(matrix)), where=predicted > 0)
    return out


def collapsed(confusion: Any, share: float = 0.99) -> bool:
    """Whether nearly every prediction is one class: a training that came to nothing without saying so."""
    predicted = np.asarray(confusion, dtype=float).sum(axis=0)
    return bool(predicted.max() >= share * predicted.sum())


def calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """[3, 15]: images, summed confidence and correct predictions in equal bins of confidence ((0, 1/15], …)."""
    place = np.clip(np.ceil(np.nan_to_num(confidence) * BINS).astype(int) - 1, 0, BINS - 1)
    return np.stack([np.bincount(place, weights=w, minlength=BINS) for w in (np.ones_like(confidence), confidence, correct)])


def class_calibration_bins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[C, 3, 15]: for each class the `calibration_bins` of its probability, of all images, right where they are of the class.

    Args:
        probabilities: [N, C].
        labels: int [N].
    """
    columns = enumerate(np.asarray(probabilities, dtype=float).T)
    return np.stack([calibration_bins(column, (labels == label).astype(float)) for label, column in columns])


def expected_calibration_error(bins: Any) -> float:
    """Σ_b |correct_b − confidence_b| / N (Guo et al. 2017, Eq. 5).

    >>> bins = calibration_bins(confidence=np.array([0.75, 0.75]), correct=np.array([1, 0]))
    >>> expected_calibration_error(bins)
    0.25
    """
    images, confidence, correct = np.asarray(bins, dtype=float)
    return float(np.abs(correct - confidence).sum() / images.sum())


def mean(values: np.ndarray) -> float:
    """Mean of the values that are there; NaN if none is."""
    values = values[~np.isnan(values)]
    return float(values.sum() / len(values)) if len(values) else float("nan")
