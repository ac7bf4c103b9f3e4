"""Synthetic records with as many classes as iNaturalist 2018."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lt_core.result import TrialResult
from tests.bench.synthetic import trial

CLASSES = 8142
IMAGES = 3  # test images per class


def many(label: str = "softmax", seed: int = 0, classes: int = CLASSES) -> TrialResult:
    """A trial that recognises most images of large classes and few of small ones, and takes others for the next larger class."""
    rng, rank = np.random.default_rng([seed, len(label)]), np.arange(classes)
    right = rng.binomial(IMAGES, 0.8 - 0.6 * rank / classes)
    five = right + rng.binomial(IMAGES - right, 0.5)
    predicted = right + np.roll(IMAGES - right, -1)
    counts = {"top_five": five, "images": np.full(classes, IMAGES), "right": right, "predicted": predicted}
    # The name of the set does not matter here; its records say how many classes there are.
    return replace(
        trial(label, seed, dataset="cifar100", factor=500, validation=0),
        train_counts=np.maximum(2, 1000 * 500.0 ** (-rank / classes)).astype(int).tolist(),
        confusion=[],
        class_counts={name: values.tolist() for name, values in counts.items()},
    )
