"""Moderated variances and the studentized range, compared with closed forms, samples of Smyth's model, and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from scipy import stats as reference

from bench.analysis.moderated import ALIKE, limited, prior_of, shrunk, trigamma_inverse
from bench.analysis.studentized import range_p, range_quantile


@given(st.floats(1e-3, 1e4))
def test_the_inverse_of_trigamma_is_one(y):
    assert trigamma_inverse(special.polygamma(1, y)) == pytest.approx(y, rel=1e-6)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(1, 30), st.floats(0.1, 1000))
def test_a_moderated_variance_lies_between_its_own_and_the_priors(own, prior, df, prior_df):
    made = float(shrunk(own, df, prior, prior_df))
    assert min(own, prior) - 1e-9 <= made <= max(own, prior) + 1e-9
    assert made == pytest.approx((prior_df * prior + df * own) / (prior_df + df))
    assert shrunk(own, df, prior, 0) == own and shrunk(own, df, prior, math.inf) == prior


def test_the_priors_moments_are_found_again():
    """σ² = s₀²d₀/χ²(d₀) with d₀ = 4, s₀² = 2.25 and s² = σ²χ²(3)/3, for 20,000 methods."""
    generator = np.random.default_rng(0)
    sigma = 2.25 * 4 / generator.chisquare(4, 20_000)
    prior, df = prior_of(sigma * generator.chisquare(3, 20_000) / 3, 3)
    assert (float(prior), float(df)) == (pytest.approx(2.25, rel=0.03), pytest.approx(4, rel=0.05))


def test_equal_spreads_are_never_taken_to_be_more_alike_than_the_limit():
    generator = np.random.default_rng(0)
    _, df = prior_of(2.25 * generator.chisquare(3, 20_000) / 3, 3)
    assert float(df) == pytest.approx(2 * float(trigamma_inverse(ALIKE)))
    assert 10 < float(df) < 12
    _, free = prior_of(2.25 * generator.chisquare(3, 20_000) / 3, 3, alike=1e-9)
    assert float(free) > 50


def test_a_variance_of_zero_is_a_small_one():
    prior, df = prior_of(np.array([0.0, 1.0, 1.2, 0.8, 0.9]), 4)
    assert 0 < float(prior) < 1 and math.isfinite(float(df))


def test_others_lend_no_more_degrees_of_freedom_than_they_have():
    assert limited(10.0, 0) == 0, "two methods: the paired t-test"
    assert limited(6.0, 3.0) == pytest.approx(2.0)
    assert limited(math.inf, 32.0) == pytest.approx(32.0)


@pytest.mark.parametrize(
    ("value", "count", "df"), [(3.5, 3, 2), (8, 18, 4), (12, 18, 2.5), (5.5, 70, 10), (4.5, 5, 56), (3, 2, 2)]
)
def test_the_range_is_scipys(value, count, df):
    assert range_p([value], [count], [df])[0] == pytest.approx(reference.studentized_range.sf(value, count, df), abs=1e-5)


def test_the_range_of_two_is_students_t_and_quantiles_come_back():
    t, df = np.array([0.5, 1.5, 3.0]), np.array([4.0, 7.0, 7.0])
    assert range_p(math.sqrt(2) * t, [2, 2, 2], df) == pytest.approx(2 * reference.t.sf(t, df), abs=1e-5)
    assert range_quantile(0.95, 3, 10) == pytest.approx(3.877, abs=0.001), "tables of textbooks"
