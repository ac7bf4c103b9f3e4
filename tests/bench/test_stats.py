"""Statistics against worked examples, scipy's own answers, and their rules."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from bench.analysis import stats
from lt_core.errors import UserError


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


def test_wilcoxon_is_exact_for_few_pairs():
    assert stats.wilcoxon([1.0, 2.0, 3.0]) == pytest.approx(0.25)
    assert stats.wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == pytest.approx(2 / 64)
    assert stats.wilcoxon([0.0, 0.0]) == 1.0


def test_the_critical_difference_of_demsars_example():
    """Demšar 2006, section 3.2.2: 4 methods on 14 sets, CD = 1.25."""
    assert stats.critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize(("methods", "blocks", "q"), [(2, 1, 1.960), (3, 2, 2.343), (5, 5, 2.728), (6, 7, 2.850), (8, 12, 3.031)])
def test_critical_differences_follow_from_demsars_table(methods, blocks, q):
    """Demšar 2006, table 5(a), α = 0.05. Of N = k(k + 1)/6 blocks the root is one and CD is q; four times as many halve it."""
    assert stats.critical_difference(methods, blocks) == pytest.approx(q, abs=0.001)
    assert stats.critical_difference(methods, 4 * blocks) == pytest.approx(q / 2, abs=0.001)


def row(label, seed, value, factor=50.0, status="ok"):
    keys = dict.fromkeys(stats.PAIR, 1) | {
        "dataset": "digits",
        "imbalance_factor": factor,
        "seed": seed,
        "class_order_seed": np.nan,
    }
    return {**keys, "label": label, "status": status, "balanced_accuracy": value}


def frame(*rows):
    return pd.DataFrame(list(rows))


def test_trials_are_compared_in_pairs_and_the_others_counted():
    rows = [row("softmax", s, 0.80 + 0.01 * s) for s in range(4)]
    rows += [row("crt", s, 0.85 + 0.01 * s + 0.001 * s) for s in range(3)] + [
        row("crt", 9, 0.5),
        row("crt", 3, np.nan, status="diverged"),
    ]
    rows += [row("hinge", s, 0.70) for s in range(4)]
    crt, hinge = stats.compare(frame(*rows), "softmax")
    assert (crt.label, crt.pairs, crt.unpaired, crt.wins, crt.losses) == ("crt", 3, 2, 3, 0)
    assert crt.difference == pytest.approx(0.051)
    assert crt.interval == pytest.approx(stats.t_interval([0.05, 0.051, 0.052]))
    assert (hinge.pairs, hinge.losses) == (4, 4)
    assert [crt.p, hinge.p] == pytest.approx([0.25, 0.125])
    assert [crt.p_holm, hinge.p_holm] == pytest.approx([0.25, 0.25])


def test_what_cannot_be_compared_is_told():
    with pytest.raises(UserError, match="unknown baseline 'softmux'; the nearest is 'softmax'"):
        stats.compare(frame(row("softmax", 0, 0.8)), "softmux")
    with pytest.raises(UserError, match="no trial of 'softmax' is finished"):
        stats.compare(frame(row("softmax", 0, np.nan, status="failed"), row("crt", 0, 0.8)), "softmax")
    with pytest.raises(UserError, match="no other method shares images and seeds"):
        stats.compare(frame(row("softmax", 0, 0.8), row("crt", 1, 0.8)), "softmax")


def test_ranks_by_hand():
    """Two blocks: (a, b, c) = (0.9, 0.8, 0.8) ranks 1, 2.5, 2.5; (0.5, 0.7, 0.6) ranks 3, 1, 2. d lacks a block."""
    values = {50.0: (0.9, 0.8, 0.8), 100.0: (0.5, 0.7, 0.6)}
    rows = [
        row(label, s, v, factor)
        for factor, three in values.items()
        for label, v in zip("abc", three, strict=True)
        for s in (0, 1)
    ]
    ranking = stats.rank(frame(*rows, row("d", 0, 0.99)))
    assert ranking.ranks == pytest.approx({"b": 1.75, "a": 2.0, "c": 2.25})
    assert list(ranking.ranks) == ["b", "a", "c"]
    assert ranking.blocks == 2
    assert ranking.friedman == pytest.approx(reference.friedmanchisquare([0.9, 0.5], [0.8, 0.7], [0.8, 0.6]).pvalue)
    assert ranking.critical_difference == pytest.approx(stats.critical_difference(3, 2))


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6))
def test_average_ranks_always_add_up(blocks):
    rows = [row(f"m{i}", 0, v, float(f + 1)) for f, block in enumerate(blocks) for i, v in enumerate(block)]
    assert sum(stats.rank(frame(*rows)).ranks.values()) == pytest.approx(4 * 5 / 2)


def test_noise_is_a_tie_and_one_image_is_none():
    noisy = 0.1 + 0.2  # 0.30000000000000004
    assert stats.settled([0.5, noisy, math.nan, 0.3]) == pytest.approx([0.5, 0.3, math.nan, 0.3], rel=0, abs=0, nan_ok=True)
    assert stats.ranks([0.5, noisy, 0.3, 0.1]).tolist() == [1, 2.5, 2.5, 4]
    assert stats.ranks([0.5, noisy, 0.3, 0.1], lower_is_better=True).tolist() == [4, 2.5, 2.5, 1]
    image = 1 / (100_000 * 100)  # of 100,000 test images, in one trial of a hundred
    assert stats.ranks([0.3 + image, 0.3]).tolist() == stats.ranks([30 + 100 * image, 30]).tolist() == [1, 2]


@given(st.permutations([0.1, 0.2, 0.3, 0.7, 0.9]), st.permutations([0.1, 0.2, 0.3, 0.7, 0.9]))
def test_the_order_of_a_sum_moves_no_rank_win_or_p_value(a, b):
    """Two methods with the same figures over five seeds in two orders have one mean; so it is with a third that is worse."""
    rows = [row(m, s, v, f) for f in (10.0, 50.0) for m, values in (("a", a), ("b", b)) for s, v in enumerate(values)]
    rows += [row("c", s, v - 0.01, f) for f in (10.0, 50.0) for s, v in enumerate(sorted(a))]
    assert stats.rank(frame(*rows)).ranks == {"a": 1.5, "b": 1.5, "c": 3}
    assert stats.wilcoxon([0.1 + 0.2 - 0.3, 0.3, -(0.1 + 0.2)]) == stats.wilcoxon([0.0, 0.3, -0.3])


def test_paired_t_tests_agree_with_scipy_and_holm_orders_them():
    values = np.array([[90.0, 89.5, 70.0, 88.0], [91.0, 90.2, 71.5, 90.5], [92.0, 90.9, 72.1, 86.0], [90.5, 90.0, 70.2, 91.0]])
    p = [float(reference.ttest_rel(values[:, j], values[:, 0]).pvalue) for j in (1, 2, 3)]
    adjusted = stats.holm(p)
    assert stats.p_against(values, 0) == pytest.approx([np.nan, *adjusted], rel=1e-10, nan_ok=True)
    assert stats.p_against(values, 0)[3] > 0.05 > stats.p_against(values, 0)[2]


def test_one_pair_and_a_constant_difference_cannot_be_tested():
    untested = pytest.approx([np.nan, np.nan], nan_ok=True)
    assert stats.p_against(np.array([[90.0, 10.0]]), 0) == untested
    assert stats.p_against(np.array([[0.9, 0.898], [0.88, 0.878]]), 0) == untested
    assert stats.p_against(np.array([[90.0, np.nan], [80.0, 79.0], [np.nan, 3.0]]), 0) == untested
    assert stats.p_against(np.array([[90.0, 90.0], [80.0, 80.0]]), 0) == pytest.approx([np.nan, 1.0], nan_ok=True)
    # What cannot be tested does not count among the tests that Holm corrects for.
    values = np.array([[90.0, 89.5, 80.0], [91.0, 90.2, 81.0], [92.0, 90.9, 82.0]])
    assert stats.p_against(values, 0)[1] == pytest.approx(float(reference.ttest_rel(values[:, 1], values[:, 0]).pvalue))


@given(st.lists(st.floats(0, 100), min_size=3, max_size=8), st.floats(-50, 50))
def test_what_differs_by_noise_alone_stays_tied_when_all_seeds_shift(best, shift):
    values = np.round(np.array([best, list(reversed(best))]).T, 2)
    before, after = stats.p_against(values, 0), stats.p_against(values + round(shift, 2), 0)
    assert before == pytest.approx(after, abs=1e-6, nan_ok=True)
