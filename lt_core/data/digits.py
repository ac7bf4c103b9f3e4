"""scikit-learn's digits as an image set."""

from __future__ import annotations

import numpy as np

from lt_core.data.order import canonical

_TEST_EACH = 50


def read_digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Training and test set, (images uint8 [N, 8, 8, 1], labels) each: grey levels 0…16 stretched to 0…255.

    The test set has 50 images per class.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    images, labels = canonical((raw.images * 255 / 16).round().astype(np.uint8)[..., None], raw.target)
    # In canonical order a class's images are sorted by the hash of their pixels, so its first 50 are a fixed random sample.
    rank = np.concatenate([np.arange(count) for count in np.bincount(labels)])
    test = rank < _TEST_EACH
    return (images[~test], labels[~test]), (images[test], labels[test])
