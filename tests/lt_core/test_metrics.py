from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from lt_core.metrics import METRICS, Outcome, calibration_bins, expected_calibration_error, precision, recall, recorded


def metrics(*outcome):
    return recorded(Outcome.of(*outcome))


@given(st.integers(2, 6).flatmap(lambda c: st.tuples(st.just(c), st.lists(st.integers(0, c - 1), min_size=c, max_size=60))))
def test_figures_are_those_of_scikit_learn(drawn):
    """Every class has a test image, as in all our sets; some may never be predicted."""
    classes, predicted = drawn
    true = np.arange(len(predicted)) % classes
    names = range(classes)
    matrix = confusion_matrix(true, predicted, labels=names)
    made = metrics(matrix, [50] * classes)
    assert made["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert METRICS["error"](Outcome.of(matrix, [50] * classes)) == pytest.approx(1 - accuracy_score(true, predicted))
    assert made["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert made["macro_f1"] == pytest.approx(f1_score(true, predicted, labels=names, average="macro", zero_division=0))
    recalls = recall_score(true, predicted, labels=names, average=None)
    assert recall(matrix).tolist() == pytest.approx(recalls)
    assert precision(matrix).tolist() == pytest.approx(
        precision_score(true, predicted, labels=names, average=None, zero_division=0)
    )
    assert made["g_mean"] == pytest.approx(np.prod(recalls) ** (1 / classes))


def test_rows_are_true_classes():
    matrix = [[8, 2], [5, 5]]
    assert recall(np.array(matrix)).tolist() == [0.8, 0.5]
    assert precision(np.array(matrix)).tolist() == [8 / 13, 5 / 7]


def test_g_mean_by_hand():
    assert metrics([[8, 2], [5, 5]], [1, 1])["g_mean"] == pytest.approx(math.sqrt(0.4))
    assert metrics([[10, 0], [10, 0]], [1, 1])["g_mean"] == 0


def test_groups_are_split_at_100_and_20_training_images():
    """> 100 many, 20–100 medium, < 20 few."""
    matrix = np.diag([1, 2, 3, 4, 5]) + np.array(
        [[0, 9, 0, 0, 0], [8, 0, 0, 0, 0], [7, 0, 0, 0, 0], [6, 0, 0, 0, 0], [5, 0, 0, 0, 0]]
    )
    made = metrics(matrix, [101, 100, 20, 19, 1])
    assert made["many_accuracy"] == pytest.approx(0.1)
    assert made["medium_accuracy"] == pytest.approx((0.2 + 0.3) / 2)
    assert made["few_accuracy"] == pytest.approx((0.4 + 0.5) / 2)


@pytest.mark.parametrize(("counts", "there"), [([500, 101], "many"), ([100, 20], "medium"), ([19, 1], "few")])
def test_an_empty_group_is_nan(counts, there):
    made = metrics([[8, 2], [5, 5]], counts)
    for group in ("many", "medium", "few"):
        assert math.isnan(made[f"{group}_accuracy"]) == (group != there)
    assert made[f"{there}_accuracy"] == pytest.approx(0.65)


def test_a_class_without_test_images_counts_for_nothing():
    made = metrics([[8, 2, 0], [5, 5, 0], [0, 0, 0]], [10, 10, 10])
    without = metrics([[8, 2], [5, 5]], [10, 10])
    assert {k: v for k, v in made.items() if not math.isnan(v)} == pytest.approx(
        {k: v for k, v in without.items() if not math.isnan(v)}
    )
    assert math.isnan(recall(np.zeros((2, 2)))[0])


def test_calibration_error_by_hand():
    """Ten images at 0.95, nine right: |9 − 9.5|. Ten at 0.55, two right: |2 − 5.5|. Twenty in all."""
    confidence = np.array([0.95] * 10 + [0.55] * 10)
    correct = np.array([1] * 9 + [0] + [1] * 2 + [0] * 8, dtype=float)
    bins = calibration_bins(confidence, correct)
    assert bins.shape == (3, 15)
    assert expected_calibration_error(bins) == pytest.approx((0.5 + 3.5) / 20)
    assert metrics([[1, 0], [0, 1]], [1, 1], bins)["ece"] == pytest.approx(0.2)
    assert math.isnan(metrics([[1, 0], [0, 1]], [1, 1])["ece"])


@pytest.mark.parametrize(("confidence", "place"), [(0.0, 0), (1e-9, 0), (0.06, 0), (0.07, 1), (0.5, 7), (0.94, 14), (1.0, 14)])
def test_bins_are_fifteenths(confidence, place):
    images = calibration_bins(np.array([confidence]), np.array([1.0]))[0]
    assert images.nonzero()[0].tolist() == [place]


def test_a_bins_errors_cancel_but_not_those_of_different_bins():
    same = calibration_bins(np.array([0.95, 0.95]), np.array([1.0, 0.9]))
    assert expected_calibration_error(same) == pytest.approx(0)
    apart = calibration_bins(np.array([0.5, 0.95]), np.array([1.0, 0.0]))
    assert expected_calibration_error(apart) == pytest.approx((0.5 + 0.95) / 2)


@given(st.lists(st.integers(0, 1), min_size=4, max_size=40), st.integers(0, 1))
def test_the_smallest_classs_f1_is_that_of_scikit_learn(predicted, small):
    true = np.arange(len(predicted)) % 2
    counts = [5, 50] if small == 0 else [50, 5]
    made = metrics(confusion_matrix(true, predicted, labels=[0, 1]), counts)
    assert made["minority_f1"] == pytest.approx(f1_score(true, predicted, pos_label=small, zero_division=0))


def test_where_several_classes_are_smallest_f1_is_their_mean_and_where_all_are_alike_there_is_none():
    matrix = [[8, 2, 0], [5, 5, 0], [0, 0, 10]]
    assert metrics(matrix, [10, 2, 2])["minority_f1"] == pytest.approx((10 / 17 + 1) / 2)
    assert math.isnan(metrics(matrix, [10, 10, 10])["minority_f1"])
