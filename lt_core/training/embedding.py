"""Test images in two dimensions by t-SNE of their features (van der Maaten and Hinton 2008), for viewing only."""

from __future__ import annotations

import numpy as np

from lt_core.data.loader import Images
from lt_core.features import features_of
from lt_core.protocols import Predictor

PER_CLASS = 50  # images of each class; more would crowd the picture


def embedding(predictor: Predictor, images: Images) -> list[list[float]]:
    """[x, y, label] of the first 50 images of each class in the set's order."""
    from sklearn.manifold import TSNE

    labels = images.labels.cpu().numpy()
    chosen = np.concatenate([np.flatnonzero(labels == c)[:PER_CLASS] for c in range(len(predictor.split.counts))])
    features = features_of(predictor, images).cpu().numpy()[chosen]
    perplexity = min(30.0, (len(chosen) - 1) / 3)
    points = TSNE(init="pca", random_state=0, perplexity=perplexity).fit_transform(features)
    return [[round(float(x), 3), round(float(y), 3), int(label)] for (x, y), label in zip(points, labels[chosen], strict=True)]
