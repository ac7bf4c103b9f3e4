"""Adapting to class frequencies, compared with values by hand and with mixtures of known posteriors; and general rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lt_core.label_shift import (
    AS_IS,
    BBSE,
    EM,
    KNOWN,
    accuracies,
    adapted,
    bbse_priors,
    calibration,
    em_priors,
    image_weights,
)
from lt_core.metrics import accuracies_under, long_tailed_prior
from lt_core.predictions import Predictions

CLASSES = 4


def normalised(values):
    return values / values.sum(axis=-1, keepdims=True)


positive = st.floats(0.01, 1)
priors = arrays.arrays(float, CLASSES, elements=positive).map(normalised)
posteriors = arrays.arrays(float, (8, CLASSES), elements=positive).map(normalised)
LABELS = np.arange(8) % CLASSES


def gaussians(sizes, prior, seed=0):
    """Points of one-dimensional Gaussians, and their exact posteriors if classes have the frequencies ``prior``."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = np.random.default_rng(seed).normal(1.5 * labels, 1)
    density = np.exp(-0.5 * (points[:, None] - 1.5 * np.arange(len(sizes))) ** 2)
    return normalised(density * prior), labels


# Weights and posteriors -------------------------------------------------------------------------------


def test_weights_by_hand():
    weights = image_weights(np.array([2, 0, 0, 2, 2]), np.array([0.4, 0, 0.6]))
    assert weights.tolist() == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.2])


def test_adapted_by_hand():
    """p / π · q is 0.5 · 0.2/0.5, 0.3 · 0.2/0.3, 0.2 · 0.6/0.2: 0.2, 0.2 and 0.6."""
    made = adapted(np.array([[0.5, 0.3, 0.2]]), np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6]))
    assert made[0].tolist() == pytest.approx([0.2, 0.2, 0.6])


def test_an_image_of_which_all_that_there_is_was_ruled_out_keeps_its_posteriors():
    made = adapted(np.array([[1.0, 0.0, 0.0]]), np.full(3, 1 / 3), np.array([0, 0.5, 0.5]))
    assert made.tolist() == [[1, 0, 0]]


@given(posteriors, priors)
def test_the_prior_that_posteriors_stand_for_changes_nothing(given, prior):
    assert adapted(given, prior, prior) == pytest.approx(given, rel=1e-12)


@given(posteriors, priors, priors, priors)
def test_to_adapt_twice_is_to_adapt_once(given, one, two, three):
    assert adapted(adapted(given, one, two), two, three) == pytest.approx(adapted(given, one, three))


# Calibration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [[0.25] * 4, [0.7, 0.2, 0.07, 0.03], [0.05, 0.05, 0.1, 0.8]])
@pytest.mark.parametrize("sharpness", [0.5, 1, 2])
def test_the_calibration_of_posteriors_is_found_on_images_of_any_frequencies(prior, sharpness):
    """The posteriors are exact ones, with logarithms divided by the sharpness."""
    for sizes in ([4000] * 4, [8000, 4000, 2000, 1000]):
        exact, labels = gaussians(sizes, np.array(prior))
        found = calibration(normalised(exact ** (1 / sharpness)), labels)
        assert found.sharpness == pytest.approx(sharpness, rel=0.05)
        assert found.prior == pytest.approx(prior, rel=0.15)
        assert found(normalised(exact ** (1 / sharpness))) == pytest.approx(exact, abs=0.03)


@given(posteriors, priors, priors)
def test_a_correction_by_priors_is_undone(given, one, other):
    """A classifier gives the same posteriors with and without the correction."""
    corrected = adapted(given, one, other)
    there, again = (adapted(c(p), c.prior, np.full(CLASSES, 0.25)) for p in (given, corrected) if (c := calibration(p, LABELS)))
    assert again == pytest.approx(there, abs=1e-3)


@given(posteriors)
def test_adapted_to_the_validation_split_posteriors_have_its_frequencies(given):
    found = calibration(given, LABELS)
    assert adapted(found(given), found.prior, np.full(CLASSES, 0.25)).mean(axis=0) == pytest.approx([0.25] * CLASSES, abs=1e-5)


def test_of_a_class_without_an_image_nothing_can_be_said():
    assert calibration(np.full((2, 3), 1 / 3), np.array([0, 1])) is None


# EM ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [[0.25] * 4, [0.02, 0.08, 0.2, 0.7], [0.6, 0.0, 0.4, 0.0]])
def test_em_recovers_the_frequencies_of_a_mixture(q):
    source = np.array([0.7, 0.2, 0.07, 0.03])
    p, labels = gaussians([20_000] * 4, source)
    (found,) = em_priors(p, source, image_weights(labels, np.array(q))[None])
    assert found == pytest.approx(q, abs=0.02)


def test_em_by_hand():
    """With images whose class is certain, EM just counts them."""
    (found,) = em_priors(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.9, 0.1]), np.array([[0.3, 0.7]]))
    assert found.tolist() == pytest.approx([0.3, 0.7])


@given(posteriors)
def test_em_stays_where_posteriors_have_their_own_frequencies(given):
    source = given.mean(axis=0)
    assert em_priors(given, source, np.full((1, 8), 1 / 8))[0] == pytest.approx(source, abs=1e-6)


@given(posteriors, priors)
def test_no_other_frequencies_make_the_images_likelier_than_those_of_em(given, other):
    """Σ_i w_i log Σ_c q_c p_ic / π_c is concave, and EM finds its maximum."""
    source, weights = np.full(CLASSES, 0.25), np.full((1, 8), 1 / 8)

    def likelihood(q):
        return np.log(given @ (q / source)).mean()

    assert likelihood(em_priors(given, source, weights)[0]) >= likelihood(other) - 1e-4


def test_an_image_of_twice_the_weight_is_two_images():
    p, labels = gaussians([30, 20, 10, 5], np.full(4, 0.25))
    weights = np.where(labels == 2, 2.0, 1.0) / 75
    twice = np.concatenate([p, p[labels == 2]])
    together = em_priors(p, np.full(4, 0.25), np.stack([weights, np.full(65, 1 / 65)]))
    assert together[0] == pytest.approx(em_priors(twice, np.full(4, 0.25), np.full((1, 75), 1 / 75))[0], abs=1e-5)
    assert together[1] == pytest.approx(em_priors(p, np.full(4, 0.25), np.full((1, 65), 1 / 65))[0], abs=1e-5)


# BBSE -------------------------------------------------------------------------------------------------


@given(priors, arrays.arrays(float, (CLASSES, CLASSES), elements=st.floats(0, 0.2)))
def test_bbse_is_exact_where_the_confusion_matrix_is(q, noise):
    confusion = 1000 * normalised(np.eye(CLASSES) + noise)
    predicted = q @ normalised(confusion)
    assert bbse_priors(confusion, predicted[None])[0] == pytest.approx(q)


def test_bbse_makes_no_negative_frequencies():
    """M⁻¹ μ of M = [[0.8, 0.4], [0.2, 0.6]] and μ = (0.3, 0.7) is (−0.25, 1.25)."""
    assert bbse_priors(np.array([[8, 2], [4, 6]]), np.array([[0.3, 0.7]])).tolist() == [[0, 1]]


def test_bbse_is_not_there_where_a_class_is_never_predicted_or_has_no_image():
    assert bbse_priors(np.array([[8, 2, 0], [4, 6, 0], [5, 5, 0]]), np.array([[0.5, 0.5, 0]])) is None
    assert bbse_priors(np.array([[8, 2, 0], [4, 6, 0], [0, 0, 0]]), np.array([[0.5, 0.5, 0]])) is None


# All together -----------------------------------------------------------------------------------------

COUNTS = [500, 150, 50, 15]
SHIFTED = np.stack([long_tailed_prior(COUNTS, factor) for factor in (50, 5, 1, 1 / 5, 1 / 50)])


@pytest.fixture(scope="module")
def mixture():
    """The test set and the validation split of a classifier whose posteriors are right for the training frequencies."""
    source = normalised(np.array(COUNTS, float))
    return source, *(Predictions.of(*gaussians([size] * 4, source, seed)) for size, seed in ((4000, 1), (3000, 2)))


def test_as_it_is_is_the_accuracy_by_recalls(mixture):
    _, test, _ = mixture
    recall = test.confusion.diagonal() / test.confusion.sum(axis=1)
    expected = accuracies_under(recall, COUNTS, (50, 5, 1, 1 / 5, 1 / 50))
    assert accuracies(test, None, SHIFTED)[AS_IS] == pytest.approx(expected)


def test_who_is_told_the_frequencies_is_as_good_as_bayes_and_who_estimates_them_nearly(mixture):
    source, test, validation = mixture
    found = accuracies(test, validation, SHIFTED)
    for place, q in enumerate(SHIFTED):
        right = adapted(gaussians([4000] * 4, source, 1)[0], source, q).argmax(axis=1) == test.labels
        bayes = (image_weights(test.labels, q) * right).sum()
        assert found[KNOWN][place] == pytest.approx(bayes, abs=0.005)
        assert found[EM][place] == pytest.approx(bayes, abs=0.01)
        assert found[BBSE][place] == pytest.approx(bayes, abs=0.02)
    assert found[AS_IS][-1] < bayes - 0.2, "which is worth it where the tail is what is tested"


def test_a_correction_by_priors_changes_nothing_for_who_is_told_the_frequencies(mixture):
    source, test, validation = mixture
    corrected = [Predictions.of(adapted(made.posteriors, source, np.full(4, 0.25)), made.labels) for made in (test, validation)]
    plain, again = accuracies(test, validation, SHIFTED), accuracies(*corrected, SHIFTED)
    assert again[KNOWN] == pytest.approx(plain[KNOWN], abs=0.002)
    assert again[EM] == pytest.approx(plain[EM], abs=0.002)
    assert abs(again[AS_IS] - plain[AS_IS]).max() > 0.1


def test_without_a_validation_split_only_what_the_classifier_is_by_itself_is_known(mixture):
    _, test, validation = mixture
    lacking = Predictions(*(array[validation.labels != 3] for array in (validation.log_probabilities, validation.labels)))
    for held in (None, lacking):
        found = accuracies(test, held, SHIFTED)
        assert not np.isnan(found[AS_IS]).any()
        assert all(np.isnan(found[what]).all() for what in (KNOWN, EM, BBSE))


def test_a_class_without_test_images_has_the_frequency_0(mixture):
    _, test, validation = mixture
    fewer = Predictions(*(array[test.labels != 1] for array in (test.log_probabilities, test.labels)))
    q = np.array([[0.5, 0, 0.3, 0.2]])
    for values in accuracies(fewer, validation, q).values():
        assert 0.4 < values[0] <= 1
