"""Evaluation in large batches: predictions are counted by class and in bins of confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from lt_core.data.loader import Images
from lt_core.features import probability_batches
from lt_core.metrics import MARGINS, MATRIX_CLASSES, TOP, Outcome, calibration_bins, class_calibration_bins, on_curves
from lt_core.predictions import Predictions
from lt_core.protocols import Predictor


@dataclass(frozen=True)
class Evaluation:
    """The predictions for the test set or the validation split.

    Attributes:
        confusion: int [C, C], row = true class; None above `MATRIX_CLASSES` classes.
        counts: int [C] each: `MARGINS` if there is no confusion matrix, and ``top_five`` with more than `TOP` classes.
        calibration: [3, bins].
        probabilities: [N, C]; None above `MATRIX_CLASSES` classes, unless they were asked for.
        labels: [N].
    """

    confusion: np.ndarray | None
    counts: Mapping[str, np.ndarray]
    calibration: np.ndarray
    probabilities: Tensor | None
    labels: Tensor

    @property
    def finite(self) -> bool:
        """Whether all predictions are finite."""
        return bool(np.isfinite(self.calibration).all())

    @cached_property
    def outcome(self) -> Outcome:
        """The outcome for metrics that use neither class sizes nor confidences."""
        return Outcome.of(self.confusion, (), counts=self.counts)

    @property
    def accuracy(self) -> float:
        return on_curves(self.outcome)["accuracy"]

    @property
    def balanced_accuracy(self) -> float:
        return on_curves(self.outcome)["balanced_accuracy"]

    def predictions(self) -> Predictions:
        """The predictions for each image, which a trial keeps on request."""
        assert self.probabilities is not None
        return Predictions.of(self.probabilities.cpu().numpy(), self.labels.cpu().numpy())

    def class_calibration(self) -> list[list[list[float]]]:
        """[C, 3, bins] as a record keeps it: whole numbers of images, and probabilities to four digits, because a hundred classes
        have 4,500 numbers. Empty if there is no confusion matrix either. It is computed on request, because the points of a
        learning curve do not need it.
        """
        if self.confusion is None or self.probabilities is None:
            return []
        bins = class_calibration_bins(self.probabilities.double().cpu().numpy(), self.labels.cpu().numpy())
        return [
            [images.astype(int).tolist(), probability.round(4).tolist(), hits.astype(int).tolist()]
            for images, probability, hits in bins
        ]

    def recorded(self) -> tuple[list[list[int]], dict[str, list[int]]]:
        """The confusion matrix and the counts as a record keeps them."""
        matrix = [] if self.confusion is None else self.confusion.tolist()
        return matrix, {name: values.tolist() for name, values in self.counts.items()}


def evaluate(predictor: Predictor, images: Images, keep: bool = False) -> Evaluation:
    """Predictions of the model in its current state, with the loss's probabilities and the method's post-hoc correction.

    Args:
        keep: keep the probabilities for any number of classes.
    """
    classes = len(predictor.split.counts)
    matrix = classes <= MATRIX_CLASSES
    labels, held, start = images.labels, [], 0
    # Allocated before the loop: small tensors that stay, between large ones that come and go, would keep the memory of these from
    # being used again.
    confidence = torch.empty(len(labels), dtype=torch.float64, device=labels.device)
    prediction, before = torch.empty_like(labels), torch.empty_like(labels)
    for probabilities in probability_batches(predictor, images):
        batch = slice(start, start := start + len(probabilities))
        confidence[batch], prediction[batch] = probabilities.max(dim=1)
        before[batch] = classes_before(probabilities, labels[batch])
        if matrix or keep:
            held.append(probabilities)
    right = prediction == labels

    def by_class(of: Tensor) -> np.ndarray:
        counted: np.ndarray = torch.bincount(of, minlength=classes).cpu().numpy()
        return counted

    pairs, counts = None, {}
    if matrix:
        pairs = torch.bincount(labels * classes + prediction, minlength=classes * classes).reshape(classes, classes).cpu().numpy()
    else:
        counts = dict(zip(MARGINS, map(by_class, (labels, labels[right], prediction)), strict=True))
    if classes > TOP:
        counts["top_five"] = by_class(labels[before < TOP])
    bins = calibration_bins(confidence.cpu().numpy(), right.cpu().numpy().astype(float))
    return Evaluation(pairs, counts, bins, torch.cat(held) if held else None, labels)


def classes_before(probabilities: Tensor, labels: Tensor) -> Tensor:
    """How many classes come before the label of each image in its prediction: those that are more probable, and those that are
    equally probable and have a lower number, since argmax takes the first of equal values. If there are none, the prediction is
    correct.

    >>> probabilities = torch.tensor([[0.5, 0.2, 0.2, 0.1]]).expand(4, -1)
    >>> classes_before(probabilities, torch.tensor([0, 1, 2, 3])).tolist()
    [0, 1, 2, 3]

    Args:
        probabilities: [N, C].
        labels: int64 [N].

    Returns:
        int64 [N].
    """
    own = probabilities.gather(1, labels[:, None])
    lower = torch.arange(probabilities.shape[1], device=labels.device) < labels[:, None]
    return ((probabilities > own) | ((probabilities == own) & lower)).sum(dim=1)


def curve_row(epoch: int, train_loss: float, test: Evaluation, validation: Evaluation | None) -> dict[str, float]:
    """One point of the learning curve; ``epoch`` counts finished epochs."""
    return {
        "epoch": epoch,
        "train_loss": train_loss,
        "test_accuracy": test.accuracy,
        "test_balanced_accuracy": test.balanced_accuracy,
        "validation_accuracy": validation.accuracy if validation else math.nan,
        "validation_balanced_accuracy": validation.balanced_accuracy if validation else math.nan,
    }
