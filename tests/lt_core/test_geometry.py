"""How features are distributed: closed forms for constructed features, and changes that must not affect the figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core.geometry import between, by_class, centres, collapse, nearest_centre, silhouettes, within


def simplex(classes):
    """The corners of a simplex, with equal lengths and the largest equal angles, in as many dimensions as classes: [C, C]."""
    return np.sqrt(classes / (classes - 1)) * (np.eye(classes) - 1 / classes)


def measures(features, labels, weights=None, predicted=None, middles=None):
    classes = labels.max() + 1
    return collapse(features, labels, classes, weights, labels if predicted is None else predicted, middles)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_perfect_simplex_has_collapsed(classes):
    labels = np.arange(classes).repeat(np.arange(1, classes + 1))
    corners = 7 * simplex(classes) + 3.0  # moved and scaled
    made = measures(corners[labels], labels, weights=0.1 * simplex(classes))
    assert [made.nc1, made.nc2_norms, made.nc2_angles, made.nc3, made.nc4] == pytest.approx([0] * 5, abs=1e-9)


def test_the_spread_within_classes_by_hand():
    """Two classes at ±1 on a line, with images at ±1 ± s: Σ_W = s², Σ_B = 1, NC1 = s²/2, for any number of images per class."""
    s = 0.3
    features = np.array([1 + s, 1 - s, -1 + s, -1 - s, -1 + s, -1 - s])[:, None]
    assert measures(features, np.array([0, 0, 1, 1, 1, 1])).nc1 == pytest.approx(s**2 / 2)


def test_nc1_is_the_trace_that_it_says():
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(60, 7)) + np.eye(7)[np.arange(60) % 4] * 2, np.arange(60) % 4
    means = np.stack([features[labels == c].mean(axis=0) for c in range(4)])
    apart = means - means.mean(axis=0)
    inner = np.mean([np.cov(features[labels == c].T, ddof=0) for c in range(4)], axis=0)
    expected = np.trace(inner @ np.linalg.pinv(apart.T @ apart / 4)) / 4
    assert measures(features, labels).nc1 == pytest.approx(expected)


def test_angles_and_lengths_by_hand():
    """Centred means (2, 0), (−2, 0), (0, 1), (0, −1): lengths 2, 2, 1, 1; cosines −1 twice and 0 four times, a third off −1/3."""
    means = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
    made = measures(means, np.arange(4))
    assert made.nc2_norms == pytest.approx(0.5 / 1.5)
    assert made.nc2_angles == pytest.approx((2 * (2 / 3) + 4 * (1 / 3)) / 6)


def test_a_classifier_that_points_the_other_way_is_2_away():
    corners = simplex(3)
    assert measures(corners, np.arange(3), weights=-corners).nc3 == pytest.approx(2)
    assert np.isnan(measures(corners, np.arange(3)).nc3)


def test_nc4_counts_where_classifier_and_nearest_centre_differ():
    features, labels = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
    assert measures(features, labels, predicted=np.array([0, 1, 1, 1])).nc4 == 0.25
    assert measures(features, labels, predicted=np.array([0, 1, 1, 1]), middles=np.array([[-2.0], [3.0]])).nc4 == 0.0


def test_distances_by_hand():
    features, labels = np.array([[0.0, 0], [0, 2], [3, 1], [3, 1], [3, 4]]), np.array([0, 0, 1, 1, 1])
    middles = centres(features, labels, 2)
    assert middles.tolist() == [[0, 1], [3, 2]]
    assert within(features, labels, middles) == pytest.approx([1, (1 + 1 + 2) / 3])
    assert between(middles) == pytest.approx([np.sqrt(10)] * 2)
    assert nearest_centre(np.array([[1.0, 1], [2, 1]]), middles).tolist() == [0, 1]


def test_a_class_without_images_has_no_centre_and_is_nearest_to_nothing():
    features, labels = np.array([[0.0], [4.0]]), np.array([0, 2])
    middles = centres(features, labels, 3)
    assert np.isnan(middles[1]).all()
    assert nearest_centre(np.array([[1.9], [2.1]]), middles).tolist() == [0, 2]
    assert np.isnan(by_class(np.ones(2), labels, 3)).tolist() == [False, True, False]


def test_silhouettes_by_hand():
    """Class 0 at 0 and 1, class 1 at 10: a = 1, b = 10 and 9; the only image of a class counts as 0."""
    found = silhouettes(np.array([[0.0], [1.0], [10.0]]), np.array([0, 0, 1]), 2)
    assert found == pytest.approx([(9 / 10 + 8 / 9) / 2, 0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.integers(2, 5))
def test_collapse_depends_on_neither_place_scale_turn_nor_the_number_of_images(seed, scale, classes):
    random = np.random.default_rng(seed)
    labels = np.arange(classes).repeat(3)
    features = random.normal(size=(len(labels), 6))
    weights, predicted = random.normal(size=(classes, 6)), random.integers(0, classes, len(labels))
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0]
    one = measures(features, labels, weights, predicted)
    again = np.concatenate([np.arange(len(labels)), np.flatnonzero(labels == 0), np.flatnonzero(labels == 0)])
    moved = scale * features @ turn + random.normal(size=6)
    other = measures(moved[again], labels[again], weights @ turn, predicted[again])
    for name in ("nc1", "nc2_norms", "nc2_angles", "nc3"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-9)
