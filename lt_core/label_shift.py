"""Label shift: the accuracy of a trained classifier on test sets with class frequencies q, and ways of adapting it to q, whether
q is known or not.

Everything here takes the classifier's posteriors p(c | x) and needs no network. A test set with the frequencies q is never
sampled: each test image has the weight q_c / n_c, so that a figure is the average over such test sets, without sampling noise,
and an estimate of q is what a large test set would give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lt_core.predictions import Predictions

_CLOSE = 1e-7  # largest change of a class frequency at which EM has converged
_MOST = 5000  # largest number of steps of EM
_SHARPNESS = (0.1, 10.0)  # bounds: if every validation image is classified correctly, the likelihood has no maximum


#: Ways of adapting: none; q is known; q is estimated from the unlabelled test set (by EM, by BBSE).
AS_IS, KNOWN, EM, BBSE = "as it is", "known prior", "EM", "BBSE"


def accuracies(test: Predictions, validation: Predictions | None, priors: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy, between 0 and 1, on test sets with each of the class frequencies ``priors``, for each way of adapting: [T] each.

    Posteriors are calibrated on the validation split and then adapted. BBSE uses the classes that they predict under that split's
    class frequencies: without calibration, a classifier may never predict a tail class, about which BBSE could then say nothing.

    Args:
        validation: None if there is no such split.
        priors: [T, C]; each sums to 1, and is 0 for classes without a test image.

    Returns:
        The accuracies for `AS_IS`, `KNOWN`, `EM` and `BBSE`. All but the first are NaN if there is no validation split or if it
        lacks a class; those of BBSE are also NaN if M cannot be inverted (see `bbse_priors`).
    """
    weights = np.stack([image_weights(test.labels, prior) for prior in priors])

    def right(predicted: np.ndarray) -> np.ndarray:
        made: np.ndarray = (weights * (predicted == test.labels)).sum(axis=1)
        return made

    out = dict.fromkeys((AS_IS, KNOWN, EM, BBSE), np.full(len(priors), np.nan)) | {AS_IS: right(test.predicted)}
    found = calibration(validation.posteriors, validation.labels) if validation else None
    if validation is None or found is None:
        return out
    posteriors, held = found(test.posteriors), found(validation.posteriors)
    shares = np.bincount(validation.labels, minlength=len(found.prior)) / len(validation.labels)
    guess, held_guess = (adapted(p, found.prior, shares).argmax(axis=1) for p in (posteriors, held))
    unit = np.eye(len(shares))
    estimates = {
        KNOWN: priors,
        EM: em_priors(posteriors, found.prior, weights),
        BBSE: bbse_priors(unit[validation.labels].T @ unit[held_guess], weights @ unit[guess]),
    }
    for way, estimate in estimates.items():
        if estimate is not None:
            out[way] = right(np.stack([adapted(posteriors, found.prior, prior).argmax(axis=1) for prior in estimate]))
    return out


def image_weights(labels: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Weight of each image, [N], that turns the images into a test set with the class frequencies ``prior``: q_c / n_c.

    >>> image_weights(np.array([0, 0, 1]), np.array([0.5, 0.5])).tolist()
    [0.25, 0.25, 0.5]

    Args:
        labels: int [N].
        prior: [C], which sums to 1; 0 for classes without an image.
    """
    sizes = np.bincount(labels, minlength=len(prior))
    weights: np.ndarray = (prior / np.maximum(sizes, 1))[labels]
    return weights


@dataclass(frozen=True)
class Calibration:
    """A calibration of posteriors on images that were not trained on: p^a, renormalised, is correct for class frequencies π.

    Attributes:
        sharpness: a, one over the temperature; above 1 for an underconfident classifier.
        prior: π [C], the class frequencies for which p^a is correct, whatever the classifier was trained on.
    """

    sharpness: float
    prior: np.ndarray

    def __call__(self, posteriors: np.ndarray) -> np.ndarray:
        """p^a [N, C], renormalised."""
        from scipy.special import softmax

        made: np.ndarray = softmax(self.sharpness * _log(posteriors), axis=1)
        return made


def calibration(posteriors: np.ndarray, labels: np.ndarray) -> Calibration | None:
    """The calibration under which these images are most likely: bias-corrected temperature scaling (BCTS; Alexandari, Kundaje and
    Shrikumar 2020, ICML).

    If posteriors p(c | x) are correct under class frequencies π, then p(c | x) · v_c / π_c, renormalised, are correct under the
    frequencies v of these images. So a and π are those at which p^a · v / π has the largest likelihood, a convex problem with C
    parameters; there, the mean of these posteriors is v. For plain cross-entropy π is near the training subset's frequencies. A
    method that corrects for those frequencies has another π, and the same network with and without a post-hoc correction by
    priors leads to the same posteriors.

    >>> p = np.array([[0.8, 0.2]] * 5 + [[0.2, 0.8]] * 5)  # four of five predictions are right, so these are calibrated
    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    >>> found = calibration(p, labels)
    >>> round(found.sharpness, 3), found.prior.round(3).tolist()
    (1.0, [0.5, 0.5])
    >>> leaning = p * [3, 1]
    >>> calibration(leaning / leaning.sum(axis=1, keepdims=True), labels).prior.round(3).tolist()
    [0.75, 0.25]

    Args:
        posteriors: [N, C] of images that were not trained on, such as the validation split.
        labels: int [N].

    Returns:
        None if a class has no image: nothing can be said about it.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp, softmax

    shares = np.bincount(labels, minlength=posteriors.shape[1]) / len(labels)
    if not shares.all():
        return None
    logits, rows = _log(posteriors), np.arange(len(labels))

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        shifted = parameters[0] * logits + parameters[1:]
        off = softmax(shifted, axis=1)
        off[rows, labels] -= 1
        slopes = np.concatenate([[(off * logits).sum(axis=1).mean()], off.mean(axis=0)])
        return float((logsumexp(shifted, axis=1) - shifted[rows, labels]).mean()), slopes

    start, bounds = np.array([1.0, *np.zeros(len(shares))]), [_SHARPNESS, *[(None, None)] * len(shares)]
    exactly = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 2000}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=exactly).x
    return Calibration(float(found[0]), softmax(np.log(shares) - found[1:]))


def _log(posteriors: np.ndarray) -> np.ndarray:
    made: np.ndarray = np.log(np.maximum(posteriors, np.finfo(float).tiny))
    return made


def adapted(posteriors: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Posteriors [N, C] under the class frequencies ``target``: p(c | x) · q_c / π_c, renormalised (Saerens et al. 2002,
    section 2).

    >>> adapted(np.array([[0.5, 0.5]]), source=np.array([0.9, 0.1]), target=np.array([0.5, 0.5])).round(3).tolist()
    [[0.1, 0.9]]

    Args:
        posteriors: [N, C].
        source: [C], the class frequencies for which they are correct; above 0.
        target: [C].
    """
    made = posteriors * (target / source)
    total = made.sum(axis=1, keepdims=True)
    # If every class with q_c > 0 was ruled out for an image, its posteriors stay as they are.
    out: np.ndarray = np.where(total > 0, made / np.where(total > 0, total, 1), posteriors)
    return out


def em_priors(posteriors: np.ndarray, source: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Class frequencies [T, C] of T unlabelled test sets, by expectation and maximisation (EM; Saerens, Latinne and Decaestecker
    2002, Neural Computation 14(1), section 2).

    Starting at q = π, posteriors are adapted to q, and q becomes their mean, until q no longer changes. If the posteriors are
    correct, the images are most likely under these frequencies.

    Args:
        posteriors: [N, C] of the images.
        source: [C], the class frequencies for which they are correct; above 0.
        weights: [T, N], of each image in each test set; each row sums to 1. `image_weights` makes a row; 1 / N everywhere is the
            set as it is.
    """
    ratios = posteriors / source
    ratios = ratios / ratios.max(axis=1, keepdims=True)  # a factor common to all classes of an image does not matter
    prior = np.tile(source / source.sum(), (len(weights), 1))
    for _ in range(_MOST):
        likelihood = prior @ ratios.T
        better = prior * ((weights / likelihood) @ ratios)
        moved = float(np.abs(better - prior).max())
        prior = better
        if moved < _CLOSE:
            break
    made: np.ndarray = prior / prior.sum(axis=1, keepdims=True)
    return made


def bbse_priors(confusion: np.ndarray, predicted: np.ndarray) -> np.ndarray | None:
    """Class frequencies [T, C] of T unlabelled test sets, by black box shift estimation (BBSE) with predicted classes (Lipton,
    Wang and Smola 2018, ICML).

    The shares of the predicted classes are μ = M q, where M [C, C] has in the column of each true class the shares of its images
    by predicted class. So q = M⁻¹ μ; negative values become 0, and the others are divided by their sum.

    >>> confusion = np.array([[8, 2], [5, 5]])
    >>> bbse_priors(confusion, np.array([[0.25 * 0.8 + 0.75 * 0.5, 0.25 * 0.2 + 0.75 * 0.5]])).round(6).tolist()
    [[0.25, 0.75]]

    Args:
        confusion: [C, C], images that were not trained on, such as the validation split; row = true class, column = predicted.
        predicted: [T, C], share of the images of each test set that are predicted to be of each class.

    Returns:
        None if M cannot be inverted, for instance because a class has no image or is never predicted.
    """
    sizes = confusion.sum(axis=1)
    shares = (confusion / np.maximum(sizes, 1)[:, None]).T
    if np.linalg.matrix_rank(shares) < len(sizes):
        return None
    found = np.maximum(np.linalg.solve(shares, predicted.T).T, 0)
    made: np.ndarray = found / found.sum(axis=1, keepdims=True)
    return made
