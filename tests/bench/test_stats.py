"""The basis of all comparisons, checked with worked examples, scipy's answers, and general rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from bench.analysis import stats


def test_students_interval_is_scipys():
    values = [81.2, 79.9, 83.4, 80.5, 82.2]
    expected = reference.t.interval(0.95, 4, np.mean(values), reference.sem(values))
    assert stats.t_interval(values) == pytest.approx(expected, abs=1e-10)
    assert stats.t_interval([1.0]) is None and stats.bootstrap_interval([1.0]) is None


def test_the_bootstrap_covers_the_mean_and_repeats_itself():
    values = list(np.random.default_rng(1).normal(5, 2, 40))
    low, high = stats.bootstrap_interval(values)
    assert stats.bootstrap_interval(values) == (low, high)
    t_low, t_high = stats.t_interval(values)
    assert low == pytest.approx(t_low, abs=0.15) and high == pytest.approx(t_high, abs=0.15)


def test_holm_by_hand():
    """Holm 1979: sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never decreasing: 0.02, 0.03, 0.06, 0.06."""
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p):
    made = stats.holm(p)
    assert all(b >= a - 1e-15 and b <= 1 for a, b in zip(p, made, strict=True))
    assert all(made[i] <= made[j] for i in range(len(p)) for j in range(len(p)) if p[i] < p[j])
    assert max(made) <= min(1, len(p) * max(p)) + 1e-12


def test_noise_is_a_tie_and_one_image_is_none():
    noisy = 0.1 + 0.2  # 0.30000000000000004
    assert stats.settled([0.5, noisy, math.nan, 0.3]) == pytest.approx([0.5, 0.3, math.nan, 0.3], rel=0, abs=0, nan_ok=True)
    assert stats.ranks([0.5, noisy, 0.3, 0.1]).tolist() == [1, 2.5, 2.5, 4]
    assert stats.ranks([0.5, noisy, 0.3, 0.1], lower_is_better=True).tolist() == [4, 2.5, 2.5, 1]
    image = 1 / (100_000 * 100)  # one of 100,000 test images, in one trial of a hundred
    assert stats.ranks([0.3 + image, 0.3]).tolist() == stats.ranks([30 + 100 * image, 30]).tolist() == [1, 2]
