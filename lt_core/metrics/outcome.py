"""What metrics are computed from: what a trial recorded on one split."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lt_core.metrics.counts import MARGINS, MATRIX_CLASSES, TOP, margins_of, shares
from lt_core.metrics.priors import TEST_PRIORS, accuracies_under
from lt_core.predictions import Predictions

_FACTORS = tuple(TEST_PRIORS.values())


@dataclass(frozen=True)
class Outcome:
    """What a trial recorded on the test set or the validation split, which is all that a metric may use.

    Attributes:
        confusion: float [C, C], images; row = true class, column = predicted. None above `MATRIX_CLASSES` classes, where a
            record keeps counts by class instead.
        train_counts: float [C], training images of each class.
        calibration: float [3, BINS] from `calibration_bins`; None if confidences are not kept, as on the validation split.
        class_calibration: float [C, 3, BINS] from `class_calibration_bins`; None there too, and for older records.
        seconds: duration of the whole trial by activity: setup, train, evaluate.
        images_per_second: of training without evaluation; NaN if it was not measured.
        kept: loads the predictions for each image; None if no predictions are kept, as in most runs.
        counts: float [C] each: ``images``, ``right`` and ``predicted`` if there is no confusion matrix, and ``top_five``, the
            images of each class whose label is among the five most probable classes, if there are more than five classes.
            Older records lack ``top_five``.
    """

    confusion: np.ndarray | None
    train_counts: np.ndarray
    calibration: np.ndarray | None = None
    class_calibration: np.ndarray | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    images_per_second: float = math.nan
    kept: Callable[[], Predictions | None] | None = field(default=None, compare=False, repr=False)
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        confusion: Any,
        train_counts: Any,
        calibration: Any = None,
        class_calibration: Any = None,
        *,
        counts: Mapping[str, Any] | None = None,
        **measured: Any,
    ) -> Outcome:
        """An outcome from lists, as records hold them; ``confusion`` is None if ``counts`` take its place."""
        matrix, bins, by_class = (
            None if kept is None else np.asarray(kept, dtype=float) for kept in (confusion, calibration, class_calibration)
        )
        counted = {name: np.asarray(values, dtype=float) for name, values in (counts or {}).items()}
        return cls(matrix, np.asarray(train_counts, dtype=float), bins, by_class, counts=counted, **measured)

    @classmethod
    def perfect(cls, train_counts: Sequence[float]) -> Outcome:
        """One image of each class, all predicted correctly, in a trial with these class sizes, [C]; without confidences."""
        classes = len(train_counts)
        every = np.ones(classes)
        counts = {"top_five": every} if classes > TOP else {}
        if classes <= MATRIX_CLASSES:
            return cls.of(np.eye(classes), train_counts, counts=counts)
        return cls.of(None, train_counts, counts=counts | dict.fromkeys(MARGINS, every))

    @cached_property
    def _margins(self) -> Sequence[np.ndarray]:
        return [self.counts[name] for name in MARGINS] if self.confusion is None else margins_of(self.confusion)

    @property
    def images(self) -> np.ndarray:
        """[C] images of each class."""
        return self._margins[0]

    @property
    def right(self) -> np.ndarray:
        """[C] correctly predicted images of each class."""
        return self._margins[1]

    @property
    def predicted(self) -> np.ndarray:
        """[C] predictions of each class, correct and wrong."""
        return self._margins[2]

    @property
    def top_five(self) -> np.ndarray | None:
        """[C] images of each class whose label is among the five most probable classes; None with five classes or fewer, and
        for records that are older than this count.
        """
        return self.counts.get("top_five")

    @property
    def predictions(self) -> Predictions | None:
        """The predictions for each image, if the run kept them (`--keep predictions`), otherwise None. They are read on demand
        and not held in memory, because there may be thousands of outcomes.

        Raises:
            UserError: the file is missing, is damaged or belongs to another trial.
        """
        return self.kept() if self.kept else None

    @cached_property
    def recall(self) -> np.ndarray:
        """[C] share of the images of each class that are predicted correctly; NaN for a class without images."""
        return shares(self.right, self.images, np.nan)

    @cached_property
    def tested(self) -> tuple[np.ndarray, tuple[float, ...]]:
        """Recall and number of training images of the classes that have test images."""
        there = ~np.isnan(self.recall)
        return self.recall[there], tuple(self.train_counts[there].tolist())

    @cached_property
    def by_prior(self) -> dict[str, float]:
        """Accuracy under each of `TEST_PRIORS`; NaN if all classes have the same number of training images."""
        recall, counts = self.tested
        if min(counts) == max(counts):
            return dict.fromkeys(TEST_PRIORS, math.nan)
        return dict(zip(TEST_PRIORS, accuracies_under(recall, counts, _FACTORS).tolist(), strict=True))

    @cached_property
    def precision(self) -> np.ndarray:
        """[C] share of the predictions of each class that are correct; 0 for a class that is never predicted."""
        return shares(self.right, self.predicted, 0.0)

    @cached_property
    def f1(self) -> np.ndarray:
        """[C] harmonic mean of recall and precision; 0 if both are 0, NaN for a class without images."""
        both = self.recall + self.precision
        made = np.divide(2 * self.recall * self.precision, both, out=np.zeros(len(both)), where=both > 0)
        return np.where(np.isnan(self.recall), np.nan, made)
