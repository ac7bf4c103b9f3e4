"""Nearest neighbours are those that scikit-learn finds, whatever is equal or nearly so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import NearestNeighbors

from lt_core import neighbours
from lt_core.neighbours import nearest


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK", 7)
        yield


def agree(points, count):
    ours = nearest(points, count)
    theirs = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(points, return_distance=False)
    assert ours.shape == theirs.shape == (len(points), count)
    assert np.array_equal(ours[:, 0], np.arange(len(points)))
    for mine, its in zip(ours, theirs, strict=True):
        assert len(set(mine)) == count
        if mine[0] in its:
            assert set(mine) == set(its)
        else:  # as many others are equal to the point as fit
            assert not (points[mine] - points[mine[0]]).any()


@pytest.mark.parametrize("size", [1, 2, 7, 8, 30, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_in_many_dimensions(size, dtype):
    rng = np.random.default_rng(size)
    points = (rng.normal(size=(size, 40)) + 100).astype(dtype)
    for count in {1, min(2, size), min(11, size), size}:
        agree(points, count)


def test_points_that_lie_far_from_zero():
    """They are centred before they are rounded to float32."""
    agree(np.random.default_rng(0).normal(size=(60, 10)) + 1e6, 5)


@pytest.mark.parametrize("seed", range(10))
def test_a_point_in_the_middle_of_others_that_are_nearly_equally_far(seed):
    """Its own length is nearly zero, so that only the rounding of the others' lengths counts."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(200, 1280))
    points *= 30 * (1 + 1e-7 * rng.normal(size=(200, 1))) / np.linalg.norm(points, axis=1, keepdims=True)
    points[0] = points[1:].mean(0)
    agree(points.astype(np.float32), 6)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(2, 40), st.integers(1, 3)), elements=st.integers(0, 4)), st.data())
def test_points_of_which_many_are_equal_or_equally_far(points, data):
    agree(points, data.draw(st.integers(1, len(points))))


def test_what_float32_cannot_tell_apart_is_looked_up_exactly(monkeypatch):
    """Distances that differ by less than the rounding error are told apart, and only they are computed again."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 20)) * 10
    points[10] += 30  # which is far enough not to be among the others' neighbours
    points[11:20] = points[10] + rng.normal(size=(9, 20)) * 1e-3
    asked, exact = [], NearestNeighbors.kneighbors

    def counting(self, points, **how):
        asked.append(len(points))
        return exact(self, points, **how)

    monkeypatch.setattr(NearestNeighbors, "kneighbors", counting)
    nearest(points, 5)
    assert asked == [10]
    monkeypatch.undo()
    agree(points, 5)


def test_the_error_that_is_allowed_for_is_larger_than_any():
    """Otherwise a neighbour that float32 got wrong could be taken for certain."""
    rng = np.random.default_rng(1)
    points = np.abs(rng.normal(size=(400, 1280))).astype(np.float32)
    centred = points - points.mean(0)
    seen = -2 * (centred @ centred.T) + (centred * centred).sum(1)
    exact = centred.astype(np.float64)
    true = -2 * (exact @ exact.T) + (exact * exact).sum(1)
    lengths = np.linalg.norm(centred, axis=1)
    allowed = neighbours._FACTOR * 1280**0.5 * np.finfo(np.float32).eps * 2 * lengths.min() * lengths.max()
    assert 0 < np.abs(seen - true).max() < allowed / 2
