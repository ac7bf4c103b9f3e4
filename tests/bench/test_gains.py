"""Methods compared with a baseline that was tuned with the same budget."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from bench.analysis.gains import read
from bench.records.beside import opened
from bench.records.store import Store
from bench.report.gains import gains
from bench.report.plots import PLOTS
from bench.report.tables import gains as gains_table
from bench.report.tables.table import Table
from bench.tuning import driver, outcome, winners
from bench.tuning.gains import compared
from lt_core.errors import UserError
from tests.bench.harness import cli
from tests.bench.spaces import TINY, inline, space

EQUAL = {
    **{key: TINY[key] for key in ("about", "data")},
    "recipe": {"base": "digits", "epochs": 1, "warmup_epochs": 0},
    "trials": 3,
    "sampler": "random",
    "subset_seeds": 2,
    "fresh_seeds": 1,
    "fresh_subset_seeds": 3,
    "baseline": "softmax",
    "shared": {"recipe.lr": {"low": 0.01, "high": 0.2, "scale": "log"}, "recipe.label_smoothing": [0.0, 0.1]},
    "studies": {
        "over_sampling": {"methods": "over_sampling"},
        "softmax": {"methods": "softmax"},
        "logit_adjusted": {"methods": "logit_adjusted", "space": {"tau": {"low": 0.5, "high": 2}}},
    },
}


def equal(**changes):
    return space(**{**EQUAL, **changes})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A space with a baseline, what its studies found, and the store of its trials."""
    store, one = Store.create(tmp_path_factory.mktemp("equal")), equal()
    found = [winners.winner(search) for search in driver.tune(one, store, inline, say=lambda words: None)]
    winners.confirm(one, found, store, inline)
    return one, found, store


def test_every_study_has_the_shared_axes_and_an_axis_of_its_own_replaces_one():
    own = {"methods": "focal", "space": {"recipe.lr": {"low": 0.1, "high": 0.3}, "gamma": {"low": 0, "high": 2}}}
    one = equal(studies={**EQUAL["studies"], "focal": own}, recipe={"base": "digits", "lr": 0.15})
    axes = {study.name: {axis.name: axis.low for axis in study.axes} for study in one.studies}
    assert axes["softmax"] == {"recipe.lr": 0.01, "recipe.label_smoothing": None}
    assert axes["focal"] == {"recipe.lr": 0.1, "recipe.label_smoothing": None, "gamma": 0}
    assert one.shared_axes() == ["recipe.lr", "recipe.label_smoothing"]


def test_what_is_confirmed_shares_no_draw_and_no_seed_with_the_search():
    one = equal()
    (study, *_) = one.studies
    searched, fresh = one.specs(study, study.first), one.specs(study, study.first, fresh=True)
    draws, others = ({(s.data.subset_seed, s.seed) for s in specs} for specs in (searched, fresh))
    assert draws == {(0, 0), (1, 0)} and others == {(2, 1), (3, 1), (4, 1)}


def test_gains_are_differences_of_the_tuned_methods_on_fresh_draws(tuned):
    one, found, store = tuned
    made = gains(compared(one, found, store), store.frame())
    assert made[0].name == "softmax"
    assert [g.name for g in made[1:]] == sorted(
        ("over_sampling", "logit_adjusted"), key=lambda name: -next(g for g in made if g.name == name).over_tuned.difference
    )

    def mean(study, setting):
        results = [store.read(s.trial_id) for s in one.specs(study, setting, fresh=True)]
        return 100 * np.mean([r.metrics()["balanced_accuracy"] for r in results])

    by_name = {f.study.name: f for f in found}
    baseline = by_name["softmax"]
    for gain in made:
        of = by_name[gain.name]
        tuned_mean = mean(of.study, of.setting)
        assert gain.tuned.mean == pytest.approx(tuned_mean)
        assert gain.declared.mean == pytest.approx(mean(of.study, of.study.first))
        assert gain.study.trials == 6  # three settings on two subsets
        searched = {i for t in of.search.optuna.trials for i in t.user_attrs["trial_ids"]}
        assert gain.study.seconds == pytest.approx(sum(sum(store.read(i).seconds.values()) for i in searched))
        assert gain.over_declared.difference == pytest.approx(tuned_mean - mean(baseline.study, baseline.study.first))
        if gain.name != "softmax":
            assert gain.over_tuned.difference == pytest.approx(tuned_mean - mean(baseline.study, baseline.setting))
            low, high = gain.over_tuned.interval
            assert low < gain.over_tuned.difference < high
    assert made[0].over_tuned is None


def test_the_table_and_the_chart_say_the_same(tuned):
    one, found, store = tuned
    study = compared(one, found, store)
    study.write(store.path)
    made, frame = gains(study, store.frame()), store.frame()
    table, chart = gains_table.build(study, frame), PLOTS["gains"](store)
    assert isinstance(table, Table) and [row.label for row in table.rows] == ["softmax (baseline)", *(g.name for g in made[1:])]
    over_tuned = next(s for s in chart.panels[0].series if s.kind == "points" and s.name == "over the tuned baseline")
    assert [f"{x:+.2f}" for x in over_tuned.x] == [row.cells[3].text for row in table.rows[1:]]
    assert any("3 subsets × 1 seed that no search used" in note for note in table.notes)
    some = PLOTS["gains"](store, "logit*")
    assert some.panels[0].rows == ("logit_adjusted",)
    for only in ("ldam", "logit*,ldam"):
        with pytest.raises(UserError, match=r"--only: 'ldam' matches no study of the run, which compares (over|logit)"):
            PLOTS["gains"](store, only)
    with pytest.raises(UserError, match="--beside: the gains of a search come from its own trials alone"):
        PLOTS["gains"](opened(str(store.path), [str(store.path)]))


def test_a_baseline_alone_has_a_table_and_no_figure(tmp_path):
    store, one = Store.create(tmp_path / "alone"), equal(studies={"softmax": EQUAL["studies"]["softmax"]}, trials=1)
    found = [winners.winner(search) for search in driver.tune(one, store, inline, say=lambda words: None)]
    winners.confirm(one, found, store, inline)
    files = outcome.write(one, found, store)
    assert store.path / "comparison.json" in files and not (store.path / "plots" / "gains.svg").exists()
    assert "softmax (baseline)" in (store.path / "tables" / "gains.md").read_text()
    with pytest.raises(UserError, match="has no study beside softmax that was run on the same images and seeds"):
        PLOTS["gains"](store)


def test_what_a_search_leaves_is_enough_to_draw_its_gains_elsewhere(tuned, tmp_path):
    one, found, store = tuned
    study = compared(one, found, store)
    store.compact()
    for file in [study.write(store.path), *store.path.glob("*.parquet")]:  # neither journal nor records
        shutil.copy(file, tmp_path)
    there = Store.open(tmp_path)
    assert read(there.path) == study
    assert gains(read(there.path), there.frame()) == gains(study, store.frame())
    assert PLOTS["gains"](there).panels == PLOTS["gains"](store).panels
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(UserError, match=r"comparison.json is damaged .*: copy it again, or repeat the `tune` command"):
        PLOTS["gains"](there)
    (tmp_path / "comparison.json").unlink()
    with pytest.raises(UserError, match="which `tune` writes if the space names a baseline"):
        PLOTS["gains"](there)


def test_a_search_is_shown_beside_its_baseline_on_the_command_line(tmp_path):
    file = tmp_path / "mine.yaml"
    studies = {name: EQUAL["studies"][name] for name in ("softmax", "over_sampling")}
    file.write_text(yaml.safe_dump({**EQUAL, "trials": 1, "studies": studies}))
    run = cli("tune", str(file), "--backend", "inline", "--out", str(tmp_path / "out"), "--fresh-subset-seeds", "2")
    assert run.returncode == 0, run.stderr
    assert "compared with softmax, tuned with the same budget" in run.stdout and "softmax (baseline)" in run.stdout
    assert "| over_sampling |" in (tmp_path / "out" / "mine" / "tables" / "gains.md").read_text()
    assert (tmp_path / "out" / "mine" / "plots" / "gains.svg").exists()


def test_different_budgets_are_not_called_the_same(tuned):
    one, found, store = tuned
    same = compared(one, found, store)
    assert {study.settings for study in same.studies} == {3}
    assert "tuned with the same budget" in gains_table.build(same, store.frame()).title
    (more,) = driver.tune(replace(one, studies=one.studies[:1], trials=4), store, inline, say=lambda words: None)
    other = gains_table.build(compared(one, [replace(found[0], search=more), *found[1:]], store), store.frame())
    assert "tuned with different budgets" in other.title
    assert any("each study tried 3 to 4 settings, not the same number" in note for note in other.notes)
