"""The geometry of class features: spreads and distances, silhouettes, and neural collapse. All figures are computed from the
features themselves, not from a projection to two dimensions.

N images, C classes, features of dimension d. Every class counts equally, however many images it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def centres(features: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The mean feature of each class: [C, d]; NaN for a class without images.

    >>> centres(np.array([[0.0, 0.0], [2.0, 0.0], [5.0, 1.0]]), np.array([0, 0, 1]), classes=2).tolist()
    [[1.0, 0.0], [5.0, 1.0]]
    """
    return by_class(np.asarray(features, float), labels, classes)


def by_class(values: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The mean of ``values`` [N, …] over the images of each class: [C, …]; NaN for a class without images."""
    sums = np.zeros((classes, *values.shape[1:]))
    np.add.at(sums, labels, values)
    counts = np.bincount(labels, minlength=classes).astype(float)
    with np.errstate(invalid="ignore"):
        means: np.ndarray = sums / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means


def within(features: np.ndarray, labels: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """Mean distance of each class's images to its centre ``middles`` [C, d]: [C]."""
    return by_class(np.linalg.norm(features - middles[labels], axis=1), labels, len(middles))


def between(middles: np.ndarray) -> np.ndarray:
    """Distance of each class's centre to the nearest other one: [C].

    >>> between(np.array([[0.0], [1.0], [5.0]])).tolist()
    [1.0, 1.0, 4.0]
    """
    distances = np.sqrt(_squares(middles, middles))
    np.fill_diagonal(distances, np.inf)
    nearest: np.ndarray = np.nanmin(distances, axis=1)
    return nearest


def nearest_centre(features: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """The class whose centre is nearest to each image: int [N]; classes without a centre are ignored."""
    squares = _squares(np.asarray(features, float), middles)
    nearest: np.ndarray = np.where(np.isnan(squares), np.inf, squares).argmin(axis=1)
    return nearest


def silhouettes(features: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean silhouette of each class's images, from −1 to 1 (Rousseeuw 1987, J. Comput. Appl. Math. 20): [C].

    The silhouette of an image is (b − a)/max(a, b), where a is its mean distance to the other images of its class, and b the
    smallest of its mean distances to the images of another class. It is 0 for the only image of a class.
    """
    from sklearn.metrics import silhouette_samples

    return by_class(silhouette_samples(features, labels), labels, classes)


@dataclass(frozen=True)
class Collapse:
    """How far features are from neural collapse (Papyan, Han and Donoho 2020, PNAS, section 2), at which all measures are 0.

    Attributes:
        nc1: tr(Σ_W Σ_B⁺)/C, the spread within classes relative to that between them.
        nc2_norms: coefficient of variation of the lengths of centred class means.
        nc2_angles: mean of |cos + 1/(C − 1)| over pairs of centred class means; if all angles are equal and as large as possible,
            every cosine is −1/(C − 1).
        nc3: ‖W/‖W‖ − M/‖M‖‖, in Frobenius norms, for classifier W and centred class means M, both [C, d]; NaN without a W.
        nc4: share of images for which the classifier predicts another class than that of the nearest centre.
    """

    nc1: float
    nc2_norms: float
    nc2_angles: float
    nc3: float
    nc4: float


def collapse(
    features: np.ndarray,
    labels: np.ndarray,
    classes: int,
    weights: np.ndarray | None,
    predicted: np.ndarray,
    middles: np.ndarray | None = None,
) -> Collapse:
    """The measures of neural collapse.

    >>> corners = np.array([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])  # a simplex of three classes
    >>> labels = np.arange(3).repeat(4)
    >>> measured = collapse(corners[labels], labels, classes=3, weights=2 * corners, predicted=labels)
    >>> [round(abs(value), 6) for value in (measured.nc1, measured.nc2_norms, measured.nc2_angles, measured.nc3, measured.nc4)]
    [0.0, 0.0, 0.0, 0.0, 0.0]

    Args:
        features: [N, d].
        labels: int [N], with images of every class.
        weights: [C, d], of the classifier; None if it has no such matrix.
        predicted: int [N], the classes that the classifier predicts.
        middles: [C, d], the centres for nc4, such as those of the training images; None: the centres of ``features``.
    """
    features = np.asarray(features, float)
    means = centres(features, labels, classes)
    centred = means - means.mean(axis=0)
    spread = (features - means[labels]) / np.sqrt(classes * np.bincount(labels, minlength=classes)[labels])[:, None]
    # tr(Σ_W Σ_B⁺) with Σ_B = MᵀM/C and Σ_W = SᵀS: in the coordinates of the singular vectors of M/√C, each coordinate of S is
    # divided by its singular value, and the squares are summed.
    _, values, vectors = np.linalg.svd(centred / np.sqrt(classes), full_matrices=False)
    # C centred means span at most C − 1 directions; a further singular value is rounding error, as small as the means' last bits.
    kept = values > np.linalg.norm(means) * max(centred.shape) * np.finfo(float).eps
    kept[classes - 1 :] = False
    nc1 = float((((spread @ vectors[kept].T) / values[kept]) ** 2).sum() / classes)
    lengths = np.linalg.norm(centred, axis=1)
    cosines = (centred @ centred.T / np.outer(lengths, lengths))[~np.eye(classes, dtype=bool)]
    nc3 = (
        np.nan
        if weights is None
        else float(np.linalg.norm(weights / np.linalg.norm(weights) - centred / np.linalg.norm(centred)))
    )
    nearest = nearest_centre(features, means if middles is None else middles)
    return Collapse(
        nc1, float(lengths.std() / lengths.mean()), float(np.abs(cosines + 1 / (classes - 1)).mean()), nc3,
        float((nearest != predicted).mean()),
    )  # fmt: skip


def _squares(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distances: [len(some), len(others)]."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.asarray(np.maximum(squares, 0.0))
