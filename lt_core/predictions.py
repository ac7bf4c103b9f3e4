"""A trial's predictions, image by image, in a separate file: compact, without code, and checked when it is read."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lt_core.errors import UserError
from lt_core.side_file import PREDICTIONS

#: Stands for the logarithm of 0: it is within the range of float16, and e^−60000 is 0 in any precision.
_ZERO = np.float16(-60000)


@dataclass(frozen=True)
class Predictions:
    """A trained model's predictions on the test set or the validation split, with the method's post-hoc correction.

    Attributes:
        log_probabilities: float16 [N, C], natural logarithms. A loss over sigmoids gives C separate probabilities, which do not
            sum to 1.
        labels: int [N], the true classes.
    """

    log_probabilities: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> Predictions:
        """Predictions rounded to float16 so that the predicted classes do not change.

        Rounding never reverses an order, but can make close values equal: a value that then equals the largest of its row is
        replaced by the next smaller float16. Accuracy, recalls and every other figure of the confusion matrix are therefore
        exactly those of ``probabilities``. A logarithm changes by at most 0.15 %, or 10⁻⁷.

        >>> made = Predictions.of(np.array([[0.49999, 0.50001], [0.9, 0.1]]), np.array([1, 1]))
        >>> made.confusion.tolist()
        [[0, 0], [1, 1]]
        >>> made.probabilities.round(3).tolist()
        [[0.5, 0.5], [0.9, 0.1]]

        Args:
            probabilities: [N, C]; the predicted class is the first of the largest.
            labels: int [N].
        """
        probabilities = np.asarray(probabilities)
        with np.errstate(divide="ignore"):
            rounded = np.maximum(np.log(probabilities), _ZERO).astype(np.float16)
        predicted = probabilities.argmax(axis=1)[:, None]
        largest = np.take_along_axis(rounded, predicted, axis=1)
        others = np.arange(probabilities.shape[1]) != predicted
        below = np.nextafter(largest, np.float16(-np.inf))
        kept = np.where(others & (rounded >= largest), below, rounded)
        return cls(kept, np.asarray(labels).astype(np.min_scalar_type(probabilities.shape[1] - 1)))

    @cached_property
    def probabilities(self) -> np.ndarray:
        """float64 [N, C], as the loss and the method's post-hoc correction give them."""
        return np.exp(self.log_probabilities.astype(np.float64))

    @cached_property
    def posteriors(self) -> np.ndarray:
        """float64 [N, C], which sum to 1 for each image: the probabilities of a loss over sigmoids are divided by their sum."""
        shifted = self.log_probabilities.astype(np.float64)
        shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
        made: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
        return made

    @cached_property
    def predicted(self) -> np.ndarray:
        """int [N]."""
        made: np.ndarray = self.log_probabilities.argmax(axis=1)
        return made

    @property
    def confusion(self) -> np.ndarray:
        """int [C, C], images; row = true class, column = predicted."""
        classes = self.log_probabilities.shape[1]
        return np.bincount(self.labels.astype(np.int64) * classes + self.predicted, minlength=classes**2).reshape(
            classes, classes
        )


@dataclass(frozen=True)
class Kept:
    """The predictions of a trial: on the test set, and on the validation split if there is one."""

    test: Predictions
    validation: Predictions | None = None


def save(path: Path, kept: Kept) -> str:
    """Write ``kept`` completely or not at all, and return the SHA-256 of the file in hexadecimal digits.

    Equal predictions give equal files.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    arrays = {"test_log_probabilities": kept.test.log_probabilities, "test_labels": kept.test.labels}
    if kept.validation:
        held = kept.validation
        arrays |= {"validation_log_probabilities": held.log_probabilities, "validation_labels": held.labels}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return PREDICTIONS.write(path, buffer.getbuffer())


def load(path: Path, sha256: str) -> Kept:
    """The predictions in ``path``.

    Args:
        sha256: that of the file according to the trial's record.

    Raises:
        UserError: there is no such file, or it is not the one that the trial wrote.
    """
    content = PREDICTIONS.read(path, sha256)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            parts = [
                Predictions(arrays[f"{part}_log_probabilities"], arrays[f"{part}_labels"])
                for part in ("test", "validation")
                if f"{part}_labels" in arrays
            ]
            return Kept(*parts)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"the predictions {path} have a layout that this version cannot read ({error})") from None
