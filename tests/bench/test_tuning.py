"""Tuning: studies, and the choices' figures on fresh seeds."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import optuna
import pytest
import yaml

import bench
from bench.records.store import Store
from bench.running.backends.inline import Inline
from bench.running.backends.ray_tune import RayTune
from bench.running.machines import Machines
from bench.suites.planning import plan
from bench.suites.suite import load_suite
from bench.tuning import driver as tuning
from bench.tuning import journal, summary, winners
from bench.tuning import search as searching
from lt_core.errors import UserError
from lt_core.result import OK, PRUNED
from lt_core.training.runtime import Runtime
from tests.bench.harness import ROOT, cli, command
from tests.bench.spaces import STUDY, TINY, inline, space


def search(tmp_path, seed=0, **changes):
    """The studies of TINY with changes, searched; and their store."""
    store = Store.create(tmp_path / "tiny")
    return tuning.tune(space(**changes), store, inline, seed=seed, say=lambda words: None), store


def settings(one):
    return [t.user_attrs["setting"] for t in one.optuna.trials]


# Studies ----------------------------------------------------------------------------------------


def test_the_papers_setting_comes_first_and_every_study_has_the_same_budget(tmp_path):
    searches, store = search(tmp_path)
    assert settings(searches[0])[0] == {"method": "cb_focal", "cb_beta": 0.9999, "gamma": 1}
    assert settings(searches[1])[0] == {
        "method": "logit_adjusted",
        "tau": 1.0,
    }  # no paper setting is given, so the declared one comes first
    assert [len(s.optuna.trials) for s in searches] == [5, 5]
    ids = {i for s in searches for t in s.optuna.trials for i in t.user_attrs["trial_ids"]}
    assert ids == set(store.frame()["trial_id"])  # ordinary trials, in the ordinary store


def test_the_same_seed_gives_the_same_study_and_another_seed_another(tmp_path):
    first, again, other = (search(tmp_path / name, seed)[0] for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert settings(first[0]) == settings(again[0]) != settings(other[0])


def test_a_score_is_the_mean_over_seeds_on_the_validation_split_whatever_the_test_says(tmp_path):
    searches, store = search(tmp_path, trials=1, seeds=2, studies={"la": STUDY})
    results = list(store.results())
    assert len(results) == 2
    told = searches[0].optuna.trials[0].values
    assert told == pytest.approx([sum(r.validation_metrics()["balanced_accuracy"] for r in results) / 2])
    upset = [dataclasses.replace(r, confusion=[row[::-1] for row in r.confusion]) for r in results]
    assert upset[0].metrics() != results[0].metrics()
    assert searching.score(upset, ["balanced_accuracy"]) == told


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random"])
def test_every_sampler_spends_the_budget(tmp_path, sampler):
    searches, _ = search(tmp_path, sampler=sampler, trials=6, recipe={"base": "digits", "epochs": 1})
    assert [len(s.optuna.trials) for s in searches] == [6, 6]
    assert all(t.state.name == "COMPLETE" for s in searches for t in s.optuna.trials)


def test_the_grid_is_tried_whole_and_once(tmp_path):
    axes = {"cb_beta": {"low": 0.9, "high": 0.9999, "scale": "complement", "grid": [0.9, 0.9999]}, "gamma": [0.5, 1.0, 2.0]}
    study = {"methods": ["cb_softmax", "cb_focal"], "space": axes, "paper": {"method": "cb_focal", "cb_beta": 0.9, "gamma": 1.0}}
    (one,), _ = search(tmp_path, sampler="grid", trials=0, studies={"cb": study})
    tried = [tuple(s.values()) for s in settings(one)]
    assert tried[0] == ("cb_focal", 0.9, 1.0)
    assert sorted(map(str, tried)) == sorted(
        map(
            str,
            [*(("cb_softmax", b) for b in (0.9, 0.9999)), *(("cb_focal", b, g) for b in (0.9, 0.9999) for g in (0.5, 1.0, 2.0))],
        )
    )


def test_a_grid_whose_driver_was_stopped_while_it_queued_is_tried_whole(tmp_path, monkeypatch):
    changes = {
        "trials": 0, "sampler": "grid",
        "studies": {"la": {"methods": "logit_adjusted", "space": {"tau": [0.5, 1.0, 1.5, 2.0]}}},
    }  # fmt: skip
    one, storage = space(**changes), journal.open_storage(tmp_path / "studies.journal")
    queue, queued = optuna.Study.enqueue_trial, []

    def two(self, *given, **more):
        if len(queued) == 2:
            raise KeyboardInterrupt
        queued.append(given)
        return queue(self, *given, **more)

    monkeypatch.setattr(optuna.Study, "enqueue_trial", two)
    with pytest.raises(KeyboardInterrupt):
        searching.Search(one, one.studies[0], storage)
    monkeypatch.undo()
    for _ in range(2):  # a third start queues nothing more
        again = searching.Search(one, one.studies[0], storage)
        assert sorted(setting["tau"] for setting in settings(again)) == [0.5, 1.0, 1.5, 2.0]


def test_rows_that_another_study_chooses_by_are_no_longer_shown(tmp_path):
    """Those that confirmed the winner of an earlier study, if a later one searches on its seeds."""
    changes = {"trials": 1, "fresh_seeds": 1, "studies": {"la": STUDY}}
    store = Store.create(tmp_path / "tiny")
    for seeds in (1, 2):
        one = space(**{**changes, "seeds": seeds, "studies": {f"la{seeds}": STUDY}})
        searches = tuning.tune(one, store, inline, say=lambda words: None)
        winners.confirm(one, [winners.winner(search) for search in searches], store, inline)
        shown = store.frame().query("not searched")
        assert sorted(shown["seed"]) == [seeds], "seed 1 confirmed the first study's choice, and then decided the second's"


def test_a_pruned_trial_is_no_failure_and_is_run_when_somebody_asks_for_it(tmp_path):
    axes = {"recipe.lr": {"low": 1e-5, "high": 0.1, "scale": "log"}}
    study = {
        "methods": "softmax",
        "space": axes,
        "paper": {"recipe.lr": 1e-5},
    }  # a bad setting, which is never stopped nevertheless
    recipe = {"base": "digits", "epochs": 9}
    (one,), store = search(tmp_path, pruner="asha", sampler="random", trials=12, recipe=recipe, studies={"s": study})
    states = [t.state.name for t in one.optuna.trials]
    assert states[0] == "COMPLETE"
    assert "PRUNED" in states
    frame = store.frame()
    assert set(frame["status"]) == {OK, PRUNED}
    pruned = frame[frame["status"] == PRUNED].iloc[0]
    assert "stopped by asha after epoch" in pruned["cause"]
    import json

    from bench.suites.suite import Suite
    from lt_core.spec import TrialSpec

    spec = TrialSpec.from_dict(json.loads(pruned["spec"]))
    assert plan(Suite("s", "", "cb", (spec,)), store).todo == (spec,)


def test_a_setting_that_fails_is_counted_and_never_wins(tmp_path):
    axes = {"recipe.lr": [0.05, 1e18]}
    study = {"methods": "softmax", "space": axes, "paper": {"recipe.lr": 1e18}}
    (one,), store = search(tmp_path, sampler="grid", trials=0, studies={"s": study})
    assert [t.state.name for t in one.optuna.trials] == ["FAIL", "COMPLETE"]
    assert "diverged" in one.optuna.trials[0].user_attrs["cause"]
    found = winners.winner(one)
    assert found.setting["recipe.lr"] == 0.05
    assert "1 finished, 1 failed" in " ".join(summary.table(space(studies={"s": study}), [found], store).notes)


def test_a_budget_in_hours_ends_a_study(tmp_path):
    searches, _ = search(tmp_path, trials=0, gpu_hours=1e-9)
    assert [len(s.optuna.trials) for s in searches] == [1, 1]  # the paper's setting, which spends the whole budget
    seconds = searches[0].spent
    again, _ = search(tmp_path, trials=0, gpu_hours=1.01 * seconds / 3600)  # any further trial spends this
    assert len(again[0].optuna.trials) == 2 and again[0].spent > seconds


def test_nothing_finished_is_said_in_a_sentence(tmp_path):
    study = {"methods": "softmax", "space": {"recipe.lr": [1e18, 2e18]}, "paper": {"recipe.lr": 1e18}}
    (one,), _ = search(tmp_path, sampler="grid", trials=0, studies={"s": study})
    with pytest.raises(UserError, match="study s has no finished setting"):
        winners.winner(one)


def test_several_objectives_give_a_front(tmp_path):
    (one,), _ = search(tmp_path, objectives=["balanced_accuracy", "seconds"], studies={"la": STUDY})
    found = winners.winner(one)
    assert found.front
    assert found.setting == max(found.front, key=lambda t: t.values[0]).user_attrs["setting"]


def test_a_study_goes_on_with_a_larger_budget_and_repeats_nothing(tmp_path):
    search(tmp_path, studies={"la": STUDY}, sampler="random")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "tiny" / "records").iterdir()}
    (one,), store = search(tmp_path, studies={"la": STUDY}, sampler="random", trials=9)
    assert len(one.optuna.trials) == 9
    assert len({s["tau"] for s in settings(one)}) == 9  # a resumed sampler does not propose the same settings again
    after = {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()}
    assert before.items() <= after.items()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": {"base": "digits", "epochs": 3}}, "recipe"),
        ({"studies": {"la": {**STUDY, "methods": ["logit_adjusted", "softmax"]}}}, "methods"),
        ({"studies": {"la": {**STUDY, "space": {"tau": [0.5, 1, 2]}}}}, "axes"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 0.5, "high": 2}}}}}, "axes"),
        ({"studies": {"la": {**STUDY, "space": {**STUDY["space"], "recipe.lr": [0.05]}}}}, "axes, paper"),
        ({"studies": {"la": {**STUDY, "paper": {"tau": 2}}}}, "paper"),
        ({"sampler": "grid", "studies": {"la": {**STUDY, "space": {"tau": {**STUDY["space"]["tau"], "grid": [1]}}}}}, "grid"),
    ],
)
def test_a_study_is_not_mixed_with_another_question(tmp_path, changes, words):
    search(tmp_path, studies={"la": STUDY}, trials=1, recipe={"base": "digits", "epochs": 1})
    kept = {"studies": {"la": STUDY}, "recipe": {"base": "digits", "epochs": 1}, **changes}
    with pytest.raises(UserError, match=f"started with a different choice of {words}: choose another --out"):
        search(tmp_path, **kept)


@pytest.mark.parametrize("all_fields", [True, False])
def test_a_study_of_an_older_version_goes_on(tmp_path, all_fields):
    """That version wrote all fields of the recipe and the data, and did not know fields that were added later."""
    (one,), _ = search(tmp_path, studies={"la": STUDY}, trials=1)
    begun = one.optuna.user_attrs["begun_with"]
    made = space(studies={"la": STUDY})
    whole = {"recipe": vars(made.recipe), "data": [vars(data) for data in made.data]}
    assert "micro_batch" in whole["recipe"] and "micro_batch" not in begun["recipe"]
    if all_fields:
        one.optuna.set_user_attr("begun_with", {**begun, **json.loads(json.dumps(whole, default=str))})
    (again,), _ = search(tmp_path, studies={"la": STUDY}, trials=2)
    assert len(again.optuna.trials) == 2


def test_bounds_and_who_proposes_may_change_and_are_told(tmp_path):
    search(tmp_path, studies={"la": STUDY}, trials=2, sampler="random")
    wider = {"la": {**STUDY, "space": {"tau": {"low": 0.1, "high": 4, "scale": "log"}}}}
    (one,), store = search(tmp_path, studies=wider, trials=4, sampler="tpe")
    assert len(one.optuna.trials) == 4
    notes = summary.table(space(studies=wider), [winners.winner(one)], store).notes
    assert "la: proposed by random and tpe, 4 finished" in notes


def test_a_budget_in_hours_ends_though_every_setting_fails(tmp_path):
    """Each failure takes some time, and nobody wants a night of failures."""
    study = {"methods": "softmax", "space": {"recipe.lr": {"low": 1e17, "high": 1e18}}, "paper": {"recipe.lr": 1e18}}
    said: list[str] = []
    made = space(studies={"s": study}, trials=0, gpu_hours=100.0)
    store = Store.create(tmp_path / "tiny")
    (one,) = tuning.tune(made, store, inline, say=said.append)
    assert [t.state.name for t in one.optuna.trials] == ["FAIL"] * 10
    assert one.spent > 0 and store.frame()["setup_seconds"].min() > 0
    assert "study s: the last 10 settings all failed: diverged:" in said[-1]


def test_what_failed_is_tried_again_when_asked_for_and_costs_no_budget(tmp_path, monkeypatch):
    from lt_core.training import running

    def broken(*_, **__):
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(running, "draw_images", broken)
        (one,), _ = search(tmp_path, studies={"la": STUDY}, trials=2)
    assert [t.state.name for t in one.optuna.trials] == ["FAIL", "FAIL"]
    made = space(studies={"la": STUDY}, trials=2)
    store = Store(tmp_path / "tiny")
    for _ in range(2):  # once is enough; the second time there is nothing to retry
        (one,) = tuning.tune(made, store, inline, retry_failed=True, say=lambda words: None)
        assert [t.state.name for t in one.optuna.trials] == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert settings(one)[2:] == settings(one)[:2]
    assert set(store.frame()["status"]) == {OK}


def test_no_table_shows_the_test_figures_that_a_search_went_past(tmp_path):
    from bench.analysis.leaderboard import leaderboard
    from bench.report.tables import TABLES

    made = space(studies={"la": STUDY}, trials=3)
    store = Store.create(tmp_path / "tiny")
    searches = tuning.tune(made, store, inline, say=lambda words: None)
    for show in (leaderboard, TABLES["catalogue"]):
        with pytest.raises(UserError, match="3 trials of a hyperparameter search left out"):
            show(store.frame())
    winners.confirm(made, [winners.winner(search) for search in searches], store, inline)
    board = leaderboard(store.frame())
    assert set(board["n"]) == {2} and board["failed"].sum() == 0  # the fresh seeds, and nothing else
    assert any("3 trials of a hyperparameter search" in note for note in TABLES["catalogue"](store.frame()).notes)
    assert (store.frame()["status"] == OK).sum() > board["n"].sum()


def test_a_torn_journal_and_a_stale_lock_are_put_right(tmp_path):
    search(tmp_path, studies={"la": STUDY})
    written = tmp_path / "tiny" / "studies.journal"
    with open(written, "a") as file:
        file.write('{"op_code": 4, "wor')
    written.with_name("studies.journal.lock").symlink_to("gone")
    start = time.monotonic()
    (one,), _ = search(tmp_path, studies={"la": STUDY}, trials=6)
    assert len(one.optuna.trials) == 6
    assert time.monotonic() - start < 20


def test_a_changed_figure_in_a_journal_is_found_and_the_studies_can_begin_anew(tmp_path):
    _, store = search(tmp_path, studies={"la": STUDY})
    written = store.path / "studies.journal"
    whole, records = written.read_bytes(), {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()}
    written.write_bytes(whole.replace(b'"values":[0.', b'"values":[1.', 1))
    assert written.read_bytes() != whole
    with pytest.raises(
        UserError, match=f"journal {written} is damaged .*restore a copy of it, or delete it: its studies then start"
    ):
        search(tmp_path, studies={"la": STUDY})
    written.unlink()
    (again,), _ = search(tmp_path, studies={"la": STUDY})
    assert len(again.optuna.trials) == 5
    assert {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()} == records, "none is run again"
    written.write_bytes(whole)
    written.with_name("studies.journal.sha256").unlink()
    journal.open_storage(written)  # as an older version left it, without a digest
    assert written.with_name("studies.journal.sha256").is_file()


def test_settings_under_way_are_taken_up_again(tmp_path):
    class Stop(Inline):
        def run(self, jobs, listener):
            assert all([jobs.ask(), jobs.ask()])  # two settings are being tried when the driver dies
            jobs.searches[0].optuna.ask()  # and a third has just been asked for

    store = Store.create(tmp_path / "tiny")
    one = space(studies={"la": STUDY})
    tuning.tune(one, store, lambda: Machines(Stop(), Runtime()), say=lambda words: None)
    (resumed,), _ = search(tmp_path, studies={"la": STUDY})
    assert [t.state.name for t in resumed.optuna.trials] == ["COMPLETE"] * 5


def nothing_is_started(monkeypatch):
    """Make the test fail if Ray is started, a GPU measured, or an image set loaded."""

    def started(*_, **__):
        raise AssertionError("there is nothing to train")

    monkeypatch.setattr(RayTune, "_connect", started)
    for module in ("bench.running.machines.settled", "bench.running.driver.fetch_inputs", "bench.tuning.driver.fetch_inputs"):
        monkeypatch.setattr(module, started)


@pytest.mark.parametrize("gpus", [None, "auto"])
def test_a_finished_study_starts_nothing(tmp_path, capsys, monkeypatch, gpus):
    made = space(studies={"la": STUDY}, trials=2)
    _, found = bench.tune(made, backend="inline", out=tmp_path)
    capsys.readouterr()
    nothing_is_started(monkeypatch)
    _, again = bench.tune(made, out=tmp_path, gpus_per_trial=gpus)
    searched, confirmed = capsys.readouterr().out.splitlines()
    assert searched == "tiny: every study has used its whole budget, so there is nothing left to search"
    assert re.fullmatch(r"tiny on fresh seeds: nothing to run, \d trials already finished", confirmed)
    assert [one.setting for one in again] == [one.setting for one in found]
    with pytest.raises(AssertionError, match="nothing to train"):
        bench.tune(space(studies={"la": STUDY}, trials=3), out=tmp_path, gpus_per_trial=gpus)
    with pytest.raises(AssertionError, match="nothing to train"):  # the search is over, but not the test of its winner
        bench.tune(space(studies={"la": STUDY}, trials=2, fresh_seeds=3), out=tmp_path, gpus_per_trial=gpus)


def test_a_finished_run_starts_nothing(tmp_path, capsys, monkeypatch, write_suite):
    suite = write_suite(methods=["softmax"], seeds=1)
    bench.run(suite, backend="inline", out=tmp_path)
    nothing_is_started(monkeypatch)
    bench.run(suite, out=tmp_path, gpus_per_trial="auto")
    assert capsys.readouterr().out.endswith("trials already finished\n")


@pytest.mark.parametrize(("share", "settings"), [(1 / 8, 3), (1.0, 2)])
def test_a_budget_in_gpu_hours_is_asked_again_once_the_share_of_a_trial_is_measured(tmp_path, monkeypatch, share, settings):
    """With the smallest share that `auto` can find, some budget would be left; only the machines can tell whether there is."""
    said, asked = [], []
    (one,), store = search(tmp_path, studies={"la": STUDY}, trials=2)
    hours = dataclasses.replace(one.space, trials=3, gpu_hours=one.spent / 2 / 3600)

    def machines():
        asked.append(share)
        return Machines(Inline(), Runtime(), gpus=share)

    (one,) = tuning.tune(hours, store, machines, least_gpus=1 / 8, say=said.append)
    assert (len(one.optuna.trials), len(asked)) == (settings, 1)
    assert said[-1].startswith("1 trial in" if settings == 3 else "tiny: every study has used its whole budget")


def test_a_study_whose_images_are_not_there_leaves_no_journal(tmp_path, monkeypatch):
    def missing(*_):
        raise UserError("cifar10 is not there")

    monkeypatch.setattr(tuning, "fetch_inputs", missing)
    with pytest.raises(UserError, match="cifar10 is not there"):
        search(tmp_path, studies={"la": STUDY})
    assert not (tmp_path / "tiny" / "studies.journal").exists()


def test_without_optuna_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match="pip install optuna"):
        journal.optuna_()


def test_optuna_is_imported_late():
    modules = "bench.cli, bench.tuning.driver, bench.tuning.winners, bench.tuning.search, bench.tuning.space"
    code = f"import sys, {modules}; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# The command ------------------------------------------------------------------------------------


def states_of(run):
    """Study → the states of its settings, from the journal."""
    storage, optuna = journal.open_storage(run / "studies.journal"), journal.optuna_()
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    return {study.study_name: [t.state.name for t in study.trials] for study in studies}


@pytest.mark.slow
def test_a_killed_study_goes_on_and_its_winner_is_a_suite(tmp_path):
    """With a real Ray: the study is killed in the middle and run again; then the winner's suite finds its trials done."""
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**TINY, "recipe": {"base": "digits", "epochs": 6}, "trials": 5}))
    arguments = ["tune", str(file), "--out", str(tmp_path)]
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
    records = tmp_path / "tiny" / "records"
    end = time.monotonic() + 120
    while len(list(records.glob("[!.]*.json"))) < 4:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {p.name: p.stat().st_mtime_ns for p in records.glob("[!.]*.json")}
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in records.glob("[!.]*.json")}.items()
    assert "5 finished" in done.stdout
    assert "test, fresh seeds" in done.stdout
    assert states_of(tmp_path / "tiny") == {"tiny/cb": ["COMPLETE"] * 5, "tiny/la": ["COMPLETE"] * 5}
    store = Store.open(tmp_path / "tiny")
    for name in ("cb", "la"):
        suite = load_suite(tmp_path / "tiny" / f"winner_{name}.yaml")
        assert {spec.seed for spec in suite.specs} == {1, 2}  # the study had seed 0
        assert plan(suite, store).counts() == {"trials": 2, "done": 2, "failed": 0, "left": 0}
    for kind in ("history", "slice"):
        assert (tmp_path / "tiny" / "plots" / f"cb_{kind}.svg").stat().st_size > 2000
    again = cli(*arguments)
    assert again.returncode == 0
    assert "nothing left to search" in again.stdout


def test_ray_prunes_as_the_loop_does(tmp_path):
    axes = {"recipe.lr": {"low": 1e-5, "high": 0.1, "scale": "log"}}
    study = {"methods": "softmax", "space": axes, "paper": {"recipe.lr": 0.05}}
    file = tmp_path / "tiny.yaml"
    recipe = {"base": "digits", "epochs": 10}
    file.write_text(yaml.safe_dump({**TINY, "recipe": recipe, "trials": 12, "sampler": "random", "studies": {"s": study}}))
    done = cli("tune", str(file), "--pruner", "median", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (states,) = states_of(tmp_path / "tiny").values()
    assert len(states) == 12
    assert states.count("PRUNED") == (Store.open(tmp_path / "tiny").frame()["status"] == PRUNED).sum() > 0
    assert f"{states.count('PRUNED')} pruned" in done.stdout


def test_a_plan_prices_a_space_and_starts_nothing(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    done = cli("tune", str(file), "--plan", "--out", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    assert "cb: cb_softmax or cb_focal by cb_beta, gamma; first cb_focal" in done.stdout
    assert "5 settings × 1 trial by tpe, then 2 × 2 on new seeds" in done.stdout
    # a fast machine needs "under a second" where a slow one needs "about 3 s"
    assert re.search(r"in total .+ of trial time; (about .+|under a second) with \d+ at a time", done.stdout)
    assert not (tmp_path / "runs").exists()


def test_a_plan_of_a_search_that_has_begun_says_what_is_left(tmp_path, monkeypatch):
    from bench.cli.tune_wording import space_words
    from bench.suites import cost

    monkeypatch.setattr(cost, "calibrate", lambda spec: 1e-3)
    assert "have ended" not in space_words(space(), 2, Store(tmp_path / "none"))
    _, store = search(tmp_path)
    for result in list(store.results()):
        store.write(dataclasses.replace(result, seconds={"train": 5400.0}))
    begun = f"  trials that have ended in {store.path}: 10, 1.5 h each on average"
    told = space_words(space(), 2, store).splitlines()[-1]
    assert told == f"{begun}; at most 8 are left, about 6.0 h with 2 at a time"
    assert space_words(space(trials=1), 2, store).endswith(begun), "2 searched and 8 confirmed are not more than 10"
    assert space_words(space(trials=0, gpu_hours=1), 2, store).endswith(begun)


def test_a_wrong_command_line_ends_with_exit_code_2(tmp_path):
    done = cli("tune", "digits_cbb")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: unknown tuning space 'digits_cbb': did you mean 'digits_cb'?"
    done = cli("tune", "digits_cb", "--sampler", "tpee", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "sampler must be in tpe" in done.stderr


def test_a_search_tells_a_job_script_of_failures_too(call, tmp_path):
    def tune(name, values):
        axis = {"methods": "ldam", "space": {"scale": values}, "paper": {"method": "ldam", "scale": values[0]}}
        (tmp_path / f"{name}.yaml").write_text(
            yaml.safe_dump({**TINY, "sampler": "grid", "trials": 2, "studies": {"ldam": axis}})
        )
        return call("tune", str(tmp_path / f"{name}.yaml"), "--backend", "inline")

    assert tune("sound", [10.0, 30.0])[0] == 0
    code, out, err = tune("some", [10.0, 1e38])
    assert code == 3 and "1 of " in err and "trials failed" in err and "tuned" in out
    code, _, err = tune("none", [1e38, 2e38])
    assert code == 4 and "study ldam has no finished setting" in err and "2 of 2 trials failed" in err
