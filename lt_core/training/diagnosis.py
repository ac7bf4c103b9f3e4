"""The quality of a training, class by class, on the test set and on the unlabelled images. Training does not use any of it."""

from __future__ import annotations

from typing import Any

from lt_core.data.loader import Split
from lt_core.data.trial_images import HiddenLabels
from lt_core.features import probabilities_of
from lt_core.metrics import precision, recall
from lt_core.protocols import Predictor
from lt_core.training.evaluate import evaluate


def diagnose(predictor: Predictor, split: Split, hidden: HiddenLabels, number: int) -> dict[str, Any]:
    """Figures of one training, each a list over classes; NaN where there is nothing to divide by.

    Args:
        split: that of the trial, whose class sizes do not count pseudo-labelled images.
        hidden: labels of the unlabelled images.
        number: number of the training, from 0.

    Returns:
        test_recall and test_precision of the model; pseudo_recall and pseudo_precision of its predictions on the unlabelled
        images; and taken, the numbers of pseudo-labelled images with which it was trained.
    """
    assert predictor.split.unlabelled is not None
    guess = probabilities_of(predictor, predictor.split.unlabelled).argmax(dim=1)
    pairs = hidden.confusion(guess)
    tested = evaluate(predictor, predictor.split.test).outcome
    return {
        "round": number,
        "test_recall": tested.recall.tolist(),
        "test_precision": tested.precision.tolist(),
        "pseudo_recall": recall(pairs).tolist(),
        "pseudo_precision": precision(pairs).tolist(),
        "taken": [int(n) for n in (predictor.split.counts - split.counts).tolist()],
    }
