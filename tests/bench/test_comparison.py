"""Methods against a baseline, and average ranks with their uncertainty."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from bench.analysis import blocks
from bench.analysis.comparison import columns_of, compare
from bench.analysis.ranking import chances_of, drawn_ranks, rank
from bench.analysis.stats import holm
from bench.records.columns import PAIR
from lt_core.errors import UserError


def row(label, seed, value, factor=50.0, status="ok"):
    keys = dict.fromkeys(PAIR, 1) | {
        "dataset": "digits",
        "imbalance_type": "exp",
        "imbalance_factor": factor,
        "label_fraction": 1.0,
        "unlabelled_ratio": 0.0,
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
    crt, hinge = compare(frame(*rows), "softmax")
    assert (crt.label, crt.pairs, crt.unpaired, crt.wins, crt.losses) == ("crt", 3, 2, 3, 0)
    assert crt.difference == pytest.approx(0.051)
    assert (hinge.pairs, hinge.losses) == (4, 4)
    (wide,) = columns_of(frame(*rows), "balanced_accuracy").values()
    made = blocks.contrasts(wide[["crt", "hinge", "softmax"]].to_numpy(), 2)
    p = 2 * reference.t.sf(np.abs(made.difference[:2]) / made.error[:2], made.df[:2])
    assert [crt.p, hinge.p] == pytest.approx(list(p))
    assert [crt.p_holm, hinge.p_holm] == pytest.approx(holm(list(p)))
    half = reference.t.ppf(0.975, made.df[0]) * made.error[0]
    assert crt.interval == pytest.approx((0.051 - half, 0.051 + half))


def test_one_method_against_the_baseline_is_a_paired_t_test():
    a, b = [0.81, 0.79, 0.84, 0.80], [0.85, 0.80, 0.86, 0.86]
    (made,) = compare(frame(*(row(m, s, v) for m, values in (("a", a), ("b", b)) for s, v in enumerate(values))), "a")
    assert made.p == pytest.approx(float(reference.ttest_rel(b, a).pvalue))
    difference = np.subtract(b, a)
    expected = reference.t.interval(0.95, 3, difference.mean(), reference.sem(difference))
    assert made.interval == pytest.approx(expected)


def test_a_difference_over_data_columns_has_the_error_of_each():
    """A gain on one column and a loss on another are not noise. Two columns with 3 and 2 pairs have the weights 3/5 and 2/5."""
    columns = {50.0: ([0.5, 0.52, 0.51], [0.70, 0.74, 0.70]), 10.0: ([0.9, 0.91], [0.89, 0.91])}
    rows = [
        row(m, s, v, f) for f, pair in columns.items() for m, values in zip("ab", pair, strict=True) for s, v in enumerate(values)
    ]
    (made,) = compare(frame(*rows), "a")
    variances = [np.var(np.subtract(b, a), ddof=1) / len(a) for a, b in columns.values()]
    parts = np.array(variances) * np.array([0.6, 0.4]) ** 2
    df = parts.sum() ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 1)
    assert made.pairs == 5 and made.difference == pytest.approx(np.mean([0.2, 0.22, 0.19, -0.01, 0.0]))
    assert made.p == pytest.approx(2 * reference.t.sf(made.difference / np.sqrt(parts.sum()), df))


def test_without_two_pairs_or_a_spread_there_is_no_test():
    once = compare(frame(row("a", 0, 0.8), row("b", 0, 0.9), row("c", 0, 0.7)), "a")
    assert all(np.isnan(one.p) and np.isnan(one.p_holm) and one.interval is None for one in once)
    rows = [row(m, s, v + 0.01 * s) for m, v in (("a", 0.8), ("b", 0.9), ("c", 0.8)) for s in range(3)]
    b, c = compare(frame(*rows), "a")
    assert np.isnan(b.p) and b.interval is None, "the same difference in all"
    assert c.p == 1 and (c.wins, c.losses) == (0, 0), "no difference at all"


def test_what_cannot_be_compared_is_told():
    with pytest.raises(UserError, match="unknown baseline 'softmux': did you mean 'softmax'"):
        compare(frame(row("softmax", 0, 0.8)), "softmux")
    with pytest.raises(UserError, match="no trial of the baseline 'softmax' has finished"):
        compare(frame(row("softmax", 0, np.nan, status="failed"), row("crt", 0, 0.8)), "softmax")
    with pytest.raises(UserError, match="no other method was run on the same images and seeds"):
        compare(frame(row("softmax", 0, 0.8), row("crt", 1, 0.8)), "softmax")


def test_ranks_by_hand():
    """Two columns: (a, b, c) = (0.9, 0.8, 0.8) has the ranks 1, 2.5, 2.5; (0.5, 0.7, 0.6) has 3, 1, 2. d lacks a column."""
    values = {50.0: (0.9, 0.8, 0.8), 100.0: (0.5, 0.7, 0.6)}
    rows = [
        row(label, s, v, factor)
        for factor, three in values.items()
        for label, v in zip("abc", three, strict=True)
        for s in (0, 1)
    ]
    ranking = rank(frame(*rows, row("d", 0, 0.99)))
    assert ranking.ranks == pytest.approx({"b": 1.75, "a": 2.0, "c": 2.25})
    assert list(ranking.ranks) == ["b", "a", "c"]
    assert ranking.columns == 2
    assert ranking.friedman == pytest.approx(reference.friedmanchisquare([0.9, 0.5], [0.8, 0.7], [0.8, 0.6]).pvalue)
    assert ranking.intervals == {label: pytest.approx((ranking.ranks[label],) * 2) for label in "abc"}, "no spread at all"
    assert ranking.chances == {"a": 0, "b": 1, "c": 0}


@settings(max_examples=25)
@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6))
def test_average_ranks_always_add_up(columns):
    rows = [row(f"m{i}", 0, v, float(f + 1)) for f, column in enumerate(columns) for i, v in enumerate(column)]
    ranking = rank(frame(*rows))
    assert sum(ranking.ranks.values()) == pytest.approx(4 * 5 / 2)
    assert ranking.intervals == {} == ranking.chances, "one trial a figure leaves all open"


def test_intervals_and_chances_follow_the_spread():
    """With two seeds or more, b is far behind; a and c are two tenths of a point apart, with spreads of one point."""
    generator = np.random.default_rng(0)
    means = np.array([90.0, 80.0, 90.2])
    columns = [means + (v := generator.normal(size=(5, 3))) - v.mean(axis=0) for _ in range(3)]
    drawn = drawn_ranks(columns)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    assert (low[1], high[1]) == (3, 3) and high[0] == 2 and low[0] < 1.4
    chances = chances_of(drawn)
    assert chances.sum() == pytest.approx(1) and chances[1] == 0 and 0.5 < chances[2] < 0.85
    assert np.array_equal(drawn, drawn_ranks(columns)), "from a fixed seed"
    assert drawn_ranks([-v for v in columns], lower_is_better=True) == pytest.approx(drawn, abs=2)
    assert drawn_ranks([*columns, columns[0][:1]]) is None, "a column of one trial a figure"


@pytest.mark.parametrize("missing", [False, True])
def test_two_names_of_one_rule_tie_and_change_nobodys_chances(missing):
    """If they were drawn apart, the better of two draws would count: a third method would lose chances to a name."""
    generator = np.random.default_rng(0)
    values = np.array([90.0, 80.0, 90.2]) + generator.normal(size=(6, 3))
    if missing:
        values[2, 2] = np.nan
    named_twice = values[:, [0, 1, 2, 2]]
    alone, ranks = drawn_ranks([values], ties="min"), drawn_ranks([named_twice], ties="min")
    assert np.array_equal(ranks[:, 2], ranks[:, 3])
    assert chances_of(ranks)[:3] == pytest.approx(chances_of(alone), abs=0.06), "the spreads are estimated with one method more"
    assert chances_of(ranks)[2] == chances_of(ranks)[3] > 0.4
    mean = drawn_ranks([named_twice])
    assert mean[:, 2] == pytest.approx(ranks[:, 2] + 0.5)
    shifted = named_twice + np.array([0, 0, 0, 1e-3])
    assert not np.array_equal(*drawn_ranks([shifted]).T[2:]), "methods that differ are drawn apart"


@settings(max_examples=25)
@given(st.permutations([0.1, 0.2, 0.3, 0.7, 0.9]), st.permutations([0.1, 0.2, 0.3, 0.7, 0.9]))
def test_the_order_of_a_sum_moves_no_rank(a, b):
    """Two methods with the same figures over five seeds in different orders have the same mean; a third method is worse."""
    rows = [row(m, s, v, f) for f in (10.0, 50.0) for m, values in (("a", a), ("b", b)) for s, v in enumerate(values)]
    rows += [row("c", s, v - 0.01, f) for f in (10.0, 50.0) for s, v in enumerate(sorted(a))]
    assert rank(frame(*rows), draws=0).ranks == {"a": 1.5, "b": 1.5, "c": 3}
