"""Accuracy for any class frequencies of the test set, compared with values by hand and with sampled test sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lt_core.metrics import METRICS, TEST_PRIORS, Outcome, accuracies_under, long_tailed_prior

recalls = st.lists(st.floats(0, 1), min_size=5, max_size=5)
sizes = st.lists(st.integers(1, 500), min_size=5, max_size=5)
factors = st.floats(0.01, 100)


def accuracy_under(recall, counts, factor):
    (accuracy,) = accuracies_under(recall, counts, [factor])
    return accuracy


def test_a_prior_by_hand():
    """Three classes, factor 4: 1, 4^(−1/2), 4^(−1), whichever label is the head."""
    assert long_tailed_prior([5, 200, 50], 4).tolist() == pytest.approx([1 / 7, 4 / 7, 2 / 7])
    assert long_tailed_prior([5, 200, 50], 1 / 4).tolist() == pytest.approx([4 / 7, 1 / 7, 2 / 7])
    assert accuracy_under([0.3, 0.9, 0.6], [5, 200, 50], 4) == pytest.approx((0.3 + 4 * 0.9 + 2 * 0.6) / 7)


def test_it_is_the_profile_of_sades_test_sets():
    """Its class sizes before rounding down are img_max · imb_factor^(cls_idx / (cls_num − 1)), with imb_factor 1 / 50."""
    counts, shares = [int(5000 * 0.01 ** (c / 9)) for c in range(10)], [0.02 ** (c / 9) for c in range(10)]
    assert long_tailed_prior(counts, 50).tolist() == pytest.approx([share / sum(shares) for share in shares])
    assert long_tailed_prior(counts, 1 / 50).tolist() == pytest.approx([share / sum(shares) for share in shares[::-1]])


def test_classes_of_one_size_are_alike():
    """Ranks 0.5, 0.5, 2.5 and 2.5 of 3 give two frequencies, whose ratio is the factor to the power of 2/3."""
    assert long_tailed_prior([90, 9, 90, 9], 8).tolist() == pytest.approx([0.4, 0.1, 0.4, 0.1])
    assert long_tailed_prior([7, 7, 7], 50).tolist() == pytest.approx([1 / 3] * 3)


def test_accuracy_of_predictions_drawn_by_the_prior():
    """It is what a test set with these frequencies measures, here with ten classes and 20,000 images."""
    rng, counts = np.random.default_rng(0), [500, 300, 180, 110, 65, 39, 23, 14, 8, 5]
    recall = rng.uniform(0.2, 1, 10)
    classes = rng.choice(10, 20_000, p=long_tailed_prior(counts, 25))
    measured = (rng.random(20_000) < recall[classes]).mean()
    assert accuracy_under(recall, counts, 25) == pytest.approx(measured, abs=4 * 0.5 / 20_000**0.5)


@given(sizes, factors)
def test_a_prior_is_a_distribution_that_falls_from_head_to_tail_or_rises(counts, factor):
    q = long_tailed_prior(counts, factor)
    assert q.sum() == pytest.approx(1) and (q > 0).all()
    assert q.max() / q.min() <= max(factor, 1 / factor) * (1 + 1e-9)
    by_size = q[np.argsort(counts, kind="stable")]
    assert (np.diff(by_size if factor >= 1 else by_size[::-1]) >= -1e-12).all()


@given(sizes, factors)
def test_backward_is_forward_with_the_sizes_turned_round(counts, factor):
    assert long_tailed_prior(counts, 1 / factor).tolist() == pytest.approx(
        long_tailed_prior([-size for size in counts], factor).tolist()
    )


@given(recalls, sizes)
def test_the_uniform_prior_is_balanced_accuracy(recall, counts):
    assert accuracy_under(recall, counts, 1) == pytest.approx(np.mean(recall))


@given(st.floats(0, 1), sizes, factors)
def test_equal_recalls_are_the_accuracy_under_every_prior(recall, counts, factor):
    assert accuracy_under([recall] * 5, counts, factor) == pytest.approx(recall)


@given(recalls, recalls, st.floats(0, 1), sizes, factors)
def test_accuracy_is_linear_in_the_recalls(one, other, share, counts, factor):
    mixed = share * np.array(one) + (1 - share) * np.array(other)
    ends = [accuracy_under(recall, counts, factor) for recall in (one, other)]
    assert accuracy_under(mixed, counts, factor) == pytest.approx(share * ends[0] + (1 - share) * ends[1])


@given(recalls, sizes, factors)
def test_accuracy_lies_between_worst_and_best_recall(recall, counts, factor):
    assert min(recall) - 1e-12 <= accuracy_under(recall, counts, factor) <= max(recall) + 1e-12


def test_a_class_without_test_images_takes_no_rank():
    outcome = Outcome.of([[8, 0, 2], [0, 0, 0], [3, 3, 4]], [90, 50, 9])
    assert METRICS["forward_5"](outcome) == pytest.approx((5 * 0.8 + 0.4) / 6)


def test_the_metrics_are_forward_and_backward_and_there_where_training_has_a_head():
    confusion = [[90, 10, 0], [0, 60, 40], [70, 0, 30]]
    tailed, alike = (Outcome.of(confusion, counts) for counts in ([100, 50, 5], [30, 30, 30]))
    for name, factor in TEST_PRIORS.items():
        assert METRICS[name](tailed) == pytest.approx(accuracy_under([0.9, 0.6, 0.3], [100, 50, 5], factor))
        assert np.isnan(METRICS[name](alike)), "no class is the head"
    figures = [METRICS[name](tailed) for name in TEST_PRIORS]
    assert figures == sorted(figures, reverse=True), "a method that knows the head falls from forward to backward"
    assert METRICS["forward_2"](tailed) > METRICS["acsa"](tailed) > METRICS["backward_2"](tailed)
