"""Claims of papers, checked against measured rows."""

from __future__ import annotations

import pytest

from bench.analysis.claims import Check, Claim, Evidence, claims, evidence, verdict
from bench.report.claims import page as page_of
from bench.suites.suite import load_suite, suite_names
from bench.tuning.space import load_space
from tests.bench import synthetic
from tests.bench.harness import ROOT


@pytest.fixture
def runs(tmp_path):
    """Three methods, each a point better than the one before it, with a little variation by the seed."""
    results = [
        synthetic.trial(label, seed, factor=50, recalls=0.6 + 0.01 * place + 0.001 * ((seed * 7 + place * 3) % 5))
        for place, label in enumerate(("softmax", "ldam", "logit_adjusted"))
        for seed in range(6)
    ]
    synthetic.store(tmp_path / "some", results)
    return tmp_path


def claimed(**check):
    return Claim("a claim", "somebody", (Check("some", **check),))


def test_an_order_is_held_against_every_neighbouring_pair(runs):
    found = evidence(claimed(order=["softmax", "ldam", "logit_adjusted"]), runs)
    assert [one.pair for one in found] == ["ldam − softmax", "logit_adjusted − ldam"]
    assert [one.difference for one in found] == pytest.approx([1, 1], abs=0.3) and {one.n for one in found} == {6}
    assert verdict(found) == "holds"
    assert verdict(evidence(claimed(order=["logit_adjusted", "ldam"]), runs)) == "contradicted"
    assert verdict(evidence(claimed(order=["ldam", "softmax"]), runs) + found) == "mixed"


def test_a_figure_that_is_better_when_it_is_lower_counts_the_other_way_round(runs):
    assert verdict(evidence(claimed(order=["softmax", "ldam"], metric="error"), runs)) == "holds"


def test_the_size_of_a_difference_can_be_claimed_too(runs):
    (one,) = evidence(claimed(order=["softmax", "ldam"], by=[5, 20]), runs)
    assert one.verdict == "less than claimed" and verdict([one]) == "holds in part"
    assert evidence(claimed(order=["softmax", "ldam"], by=[0.5, 2]), runs)[0].verdict == "as claimed"


def test_what_was_not_run_says_nothing(runs):
    assert evidence(Claim("a claim", "somebody", (Check("another", order=("a", "b")),)), runs) == []
    assert (
        evidence(claimed(order=["softmax", "cdt"]), runs)
        == evidence(claimed(order=["softmax", "ldam"], data="mnist*"), runs)
        == []
    )
    assert verdict([]) == "not measured"


def test_two_figures_of_one_trial_are_compared_within_it(runs):
    (one,) = evidence(claimed(columns=["few_accuracy", "many_accuracy"], labels="ldam"), runs) or [None]
    assert one.pair == "ldam: many accuracy − few accuracy" and one.n == 6


def test_a_tuned_baseline_is_held_against_every_tuned_method(tmp_path):
    store = synthetic.varied(tmp_path / "some", ("softmax", "ldam", "crt"))  # each a point better than the one before it
    found = evidence(claimed(tuned=True), tmp_path)
    assert [one.pair for one in found] == ["softmax, tuned − crt, tuned", "softmax, tuned − ldam, tuned"]
    assert [one.difference for one in found] == pytest.approx([-2, -1])
    assert {(one.data, one.n) for one in found} == {("digits IF 10 and digits IF 100", 4)} and len(store.frame()) == 12
    (store.path / "comparison.json").unlink()
    assert evidence(claimed(tuned=True), tmp_path) == [], "a search of an older version says nothing"


@pytest.mark.parametrize(
    ("interval", "difference", "word"),
    [
        ((0.1, 2), 1, "as claimed"),
        ((-2, -0.1), -1, "the opposite"),
        ((-1, 1), 0.5, "not significant"),
        (None, 3, "not significant"),
    ],
)
def test_an_interval_decides(interval, difference, word):
    assert Evidence("r", "d", "p", 3, difference, interval).verdict == word


def test_as_good_is_contradicted_only_by_a_significant_loss():
    ends = [(-2, -0.1), (-1, 1), (0.1, 2), None]
    found = [Evidence("r", "d", "p", 3, 0.0 if one is None else sum(one) / 2, one, as_good=True).verdict for one in ends]
    assert found == ["the opposite", "as claimed", "as claimed", "not significant"]


def test_every_claim_names_suites_that_there_are_and_labels_that_they_have():
    assert len(claims()) >= 8
    for claim in claims():
        for check in claim.checks:
            if check.tuned:
                assert load_space(check.run).baseline, check.run
                continue
            assert check.run in suite_names(), check.run
            labels = {spec.method.label for spec in load_suite(check.run).specs}
            assert set(check.order) <= labels, (check.run, set(check.order) - labels)


def test_the_page_is_what_the_committed_rows_say():
    page = ROOT / "docs" / "results" / "claims.md"
    assert page.read_text() == page_of(ROOT / "results"), (
        "write it anew: python bench.py claims --format md > docs/results/claims.md"
    )
