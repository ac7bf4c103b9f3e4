"""Evaluation in large batches: one confusion matrix and one set of calibration bins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lt_core.data.loader import Images
from lt_core.features import probabilities_of
from lt_core.metrics import calibration_bins, class_calibration_bins, on_curves
from lt_core.predictions import Predictions
from lt_core.protocols import Predictor


@dataclass(frozen=True)
class Evaluation:
    """``confusion`` int [C, C] (row = true class) and ``calibration`` [3, bins], made of ``probabilities`` [N, C] and
    ``labels`` [N].
    """

    confusion: np.ndarray
    calibration: np.ndarray
    probabilities: Tensor
    labels: Tensor

    @property
    def finite(self) -> bool:
        """Whether every prediction was a number."""
        return bool(np.isfinite(self.calibration).all())

    @property
    def accuracy(self) -> float:
        return on_curves(self.confusion)["accuracy"]

    @property
    def balanced_accuracy(self) -> float:
        return on_curves(self.confusion)["balanced_accuracy"]

    def predictions(self) -> Predictions:
        """What is kept of each image, where somebody asks for it."""
        return Predictions.of(self.probabilities.cpu().numpy(), self.labels.cpu().numpy())

    def class_calibration(self) -> list[list[list[float]]]:
        """[C, 3, bins] as a record keeps it: whole numbers of images, and probabilities to four digits, since a thousand classes
        have 45,000 of these. Made when it is asked for, and not at each point of a learning curve.
        """
        bins = class_calibration_bins(self.probabilities.double().cpu().numpy(), self.labels.cpu().numpy())
        return [
            [images.astype(int).tolist(), probability.round(4).tolist(), hits.astype(int).tolist()]
            for images, probability, hits in bins
        ]


def evaluate(predictor: Predictor, images: Images) -> Evaluation:
    """Predictions of the model as it stands, with the loss's probabilities and the method's post-hoc correction."""
    classes = len(predictor.split.counts)
    probabilities = probabilities_of(predictor, images)
    confidence, prediction = probabilities.max(dim=1)
    pairs = torch.bincount(images.labels * classes + prediction, minlength=classes * classes)
    correct = (prediction == images.labels).cpu().numpy()
    return Evaluation(
        pairs.reshape(classes, classes).cpu().numpy(),
        calibration_bins(confidence.double().cpu().numpy(), correct.astype(float)),
        probabilities,
        images.labels,
    )


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
