"""Counts of predictions, in numpy: a confusion matrix or its margins, recall and precision, bins of confidence."""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 15
#: Largest number of classes for which a confusion matrix and calibration by class are kept. A matrix of 200 classes takes 80 kB
#: of a record and can still be drawn; one of a thousand takes 2 MB, and one of iNaturalist's 8,142 takes 130 MB, mostly zeros.
MATRIX_CLASSES = 200
#: Counts that replace the matrix: the images of each class, those of them that are classified correctly, and its predictions.
MARGINS = ("images", "right", "predicted")
#: Top-5 accuracy is counted for trials with more classes than this.
TOP = 5


def margins(confusion: Any) -> np.ndarray:
    """`MARGINS` of a confusion matrix [C, C], row = true class: [3, C].

    >>> margins([[90, 10], [5, 5]]).tolist()
    [[100.0, 10.0], [90.0, 5.0], [95.0, 15.0]]
    """
    return np.stack(margins_of(np.asarray(confusion, dtype=float)))


def margins_of(matrix: np.ndarray) -> list[np.ndarray]:
    """`margins` of an array as separate arrays, which takes half the time for thousands of records."""
    return [matrix.sum(axis=1), matrix.diagonal(), matrix.sum(axis=0)]


def shares(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    """``part`` / ``whole``, and ``empty`` where ``whole`` is zero."""
    out: np.ndarray = np.divide(part, whole, out=np.full(len(whole), empty), where=whole > 0)
    return out


def recall(confusion: Any) -> np.ndarray:
    """Share of each class's images that are predicted to be of that class: [C]; NaN for a class without images."""
    images, right, _ = margins(confusion)
    return shares(right, images, np.nan)


def precision(confusion: Any) -> np.ndarray:
    """Share of the predictions of each class that are correct: [C]; 0 for a class that is never predicted."""
    _, right, predicted = margins(confusion)
    return shares(right, predicted, 0.0)


def collapsed(predicted: Any, share: float = 0.99) -> bool:
    """Whether nearly all predictions are of one class, which means that a training failed silently.

    Args:
        predicted: [C], number of predictions of each class.
    """
    counts = np.asarray(predicted, dtype=float)
    return bool(counts.max() >= share * counts.sum())


def calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Images, summed confidence and correct predictions in equal bins of confidence ((0, 1/15], …): [3, 15]."""
    place = np.clip(np.ceil(np.nan_to_num(confidence) * BINS).astype(int) - 1, 0, BINS - 1)
    return np.stack([np.bincount(place, weights=w, minlength=BINS) for w in (np.ones_like(confidence), confidence, correct)])


def class_calibration_bins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The `calibration_bins` of each class's probability over all images, which is correct for images of the class: [C, 3, 15].

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
    """Mean of the values that are not NaN; NaN if there are none."""
    values = values[~np.isnan(values)]
    return float(values.sum() / len(values)) if len(values) else float("nan")
