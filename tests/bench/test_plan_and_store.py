"""Plans, and the store whose trials they leave out."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from bench.analysis.comparable import machines
from bench.records import frames, layout, nested, parquet
from bench.records.record_files import RecordFiles
from bench.records.store import Store
from bench.running.driver import Driver, execute
from bench.suites.advice import recipe_notes
from bench.suites.cost import Prices, work
from bench.suites.planning import plan
from bench.suites.suite import parse_suite
from lt_core.data.draw import draw
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.data.unlabelled import semi_sizes
from lt_core.errors import UserError
from lt_core.labels import duration
from lt_core.metrics import METRICS
from lt_core.recipes import RECIPES
from lt_core.registry import Recorder
from lt_core.result import FAILED, LOST, TrialResult
from lt_core.training import Runtime, run_trial
from tests.bench import synthetic
from tests.bench.harness import ROOT, TINY


@pytest.fixture
def suite():
    return parse_suite("tiny", TINY)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "tiny")


@pytest.fixture(scope="module")
def finished():
    """One real result, which tests give other identities."""
    spec = parse_suite("tiny", TINY).specs[0]
    return run_trial(replace(spec, recipe=replace(spec.recipe, epochs=1)))


def fake(finished: TrialResult, spec, **changes) -> TrialResult:
    return replace(finished, spec=spec, **changes)


def test_a_plan_counts_what_is_done_failed_and_left(suite, store, finished):
    specs = suite.specs
    store.write(fake(finished, specs[0]))
    store.write(TrialResult(specs[1], FAILED, "it broke"))
    store.write(TrialResult(specs[2], LOST, "the node went away"))
    planned = plan(suite, store)
    assert planned.counts() == {"trials": 16, "done": 1, "failed": 2, "left": 14}
    assert specs[2] in planned.todo  # the trial did not cause the loss of its worker
    assert specs[1] not in planned.todo
    assert specs[1] in plan(suite, store, retry_failed=True).todo


def test_filters(suite):
    assert {s.method.name for s in plan(suite, only="cb_*").specs} == {"cb_softmax"}
    assert {s.method.label for s in plan(suite, only="*0.999*").specs} == {"cb_softmax[cb_beta=0.999]"}
    assert {s.seed for s in plan(suite, seeds=[5]).specs} == {5}
    assert {s.recipe.epochs for s in plan(suite, epochs=2).specs} == {2}
    mixed = plan(suite, precision="bfloat16").specs
    assert {s.recipe.precision for s in mixed} == {"bfloat16"}
    assert not {s.trial_id for s in mixed} & {s.trial_id for s in plan(suite).specs}, "it enters the id"
    assert plan(suite, limit=3).specs == suite.specs[:3]
    with pytest.raises(UserError, match=r"'ldam\*' matches no method of suite tiny, which has softmax, cb_softmax"):
        plan(suite, only="ldam*")


def test_a_grown_suite_keeps_what_is_done(suite, store, finished):
    for spec in suite.specs:
        store.write(fake(finished, spec))
    grown = parse_suite("tiny", {**TINY, "methods": [*TINY["methods"], "sigmoid"], "seeds": 3})
    planned = plan(grown, store)
    assert planned.counts()["done"] == 16
    assert len(planned.todo) == 2 * 5 * 3 - 16


def test_parquet_says_what_the_records_say_and_can_be_made_again(suite, store, finished):
    for spec in suite.specs[:3]:
        store.write(fake(finished, spec))
    store.compact()
    first = pd.read_parquet(store.path / "trials.parquet")
    assert list(first["trial_id"]) == sorted(s.trial_id for s in suite.specs[:3])
    assert first["balanced_accuracy"].iloc[0] == pytest.approx(finished.metrics()["balanced_accuracy"])
    assert len(pd.read_parquet(store.path / "per_class.parquet")) == 3 * 10
    assert len(pd.read_parquet(store.path / "curves.parquet")) == 3 * len(finished.curve)
    for name in ("trials", "per_class", "curves"):
        (store.path / f"{name}.parquet").unlink()
    again = Store.open(store.path)
    again.compact()
    pd.testing.assert_frame_equal(first, pd.read_parquet(store.path / "trials.parquet"))


def test_parquet_alone_is_a_run(suite, store, finished, tmp_path):
    store.write(fake(finished, suite.specs[0]))
    store.compact()
    alone = tmp_path / "alone"
    alone.mkdir()
    (store.path / "trials.parquet").rename(alone / "trials.parquet")
    assert len(Store.open(alone).frame()) == 1


def test_a_frame_is_never_older_than_the_records(suite, store, finished):
    store.write(fake(finished, suite.specs[0]))
    store.compact()
    store.write(fake(finished, suite.specs[1]))
    assert len(store.frame()) == 2
    assert len(Store.open(store.path).frame()) == 2


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 1}', ""])
def test_a_damaged_record_is_named_and_left_alone(suite, store, finished, content):
    store.write(fake(finished, suite.specs[0]))
    bad = store.records / f"{suite.specs[1].trial_id}.json"
    bad.write_text(content)
    with pytest.raises(UserError, match=f"{bad.name} is damaged .*delete it, and its trial will run again"):
        plan(suite, store)
    assert bad.read_text() == content


def test_a_record_of_a_newer_version_is_not_misread(suite, store, finished):
    store.write(fake(finished, suite.specs[0]))
    path = store.records / f"{suite.specs[0].trial_id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    words = r"newer version of the benchmark, or is damaged \(it has schema 99.*: try a newer version"
    with pytest.raises(UserError, match=words):
        Store.open(store.path).frame()


def test_a_damaged_parquet_file_is_made_again_from_the_records(suite, store, finished):
    """A single byte is changed, in a page, in the footer or in the stamp."""
    store.write(fake(finished, suite.specs[0]))
    store.compact()
    expected = Store(store.path).frame()
    file = store.path / "trials.parquet"
    whole = file.read_bytes()
    for place in range(0, len(whole), len(whole) // 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        again = Store(store.path)
        with pytest.warns(UserWarning, match=r"trials\.parquet is damaged .* rebuilt from the records"):
            again.compact()
        pd.testing.assert_frame_equal(again.frame(), expected)
        assert file.read_bytes() == whole
    file.write_bytes(b"PAR1 not really")
    with pytest.warns(UserWarning, match="rebuilt"):
        assert Store(store.path).statuses() == {suite.specs[0].trial_id: "ok"}


def test_damaged_parquet_without_records_is_named(suite, store, finished):
    store.write(fake(finished, suite.specs[0]))
    store.compact()
    shutil.rmtree(store.records)
    file = store.path / "per_class.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert len(Store(store.path).frame()) == 1
    with pytest.raises(UserError, match=r"per_class\.parquet is damaged \(its digest differs .*\): copy it again"):
        Store(store.path).per_class()


def test_a_full_disk_loses_nothing(suite, store, finished, monkeypatch):
    store.write(fake(finished, suite.specs[0]))
    before = sorted(p.name for p in store.records.iterdir())

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*free some disk space"):
        store.write(fake(finished, suite.specs[1]))
    assert sorted(p.name for p in store.records.iterdir()) == before


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*choose another with --out"):
        Store.create(tmp_path / "file" / "run")


def test_one_writer_at_a_time(store):
    with store.lock(), pytest.raises(UserError, match="another process is writing trials"), store.lock():
        pass
    with store.lock():  # the lock was released
        pass


def test_an_unknown_run_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="unknown run 'quik': did you mean 'quick'"):
        Store.open("quik")
    Store.create(tmp_path / "results" / "runs" / "my_rates")
    with pytest.raises(UserError, match="unknown run 'my_rate': did you mean 'my_rates'"):
        Store.open("my_rate")


def test_the_price_comes_from_finished_trials_where_there_are_some(suite, store, finished):
    unmeasured = Prices().estimate(suite.specs)
    assert unmeasured.calibrated == 16
    assert unmeasured.seconds > 0
    slow = {"setup": 0.0, "train": 100.0, "evaluate": 0.0}
    store.write(fake(finished, suite.specs[0], seconds=slow))
    priced = Prices().estimate(suite.specs[1:], store.frame())
    assert (priced.measured, priced.calibrated) == (15, 0)
    expected = sum(100 * work(s) / work(suite.specs[0]) for s in suite.specs[1:])
    assert priced.seconds == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under a second"),
        (0.8, "under a second"),
        (4.2, "4 s"),
        (100, "2 min"),
        (9000, "2.5 h"),
        (200_000, "2.3 days"),
        (647_250_000, "21 years"),
    ],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_a_plan_says_when_averaged_weights_would_still_be_those_of_the_beginning(suite):
    """After 2,000 steps, 0.999 leaves 13.5 % of the untrained network, so the figures would say little about the method."""
    spec = suite.specs[0]
    long = replace(spec, recipe=replace(spec.recipe, epochs=20, steps=500, ema=0.999))
    short = replace(spec, recipe=replace(spec.recipe, epochs=4, steps=500, ema=0.999))
    assert recipe_notes([spec, long]) == []
    (note,) = recipe_notes([spec, short, short])
    assert note.startswith(
        "after 2,000 steps the averaged weights of recipe digits (ema 0.999) still contain 14 % of the untrained"
    )
    assert note.endswith("set ema to 0.997 or less")
    fitting = replace(spec, recipe=replace(short.recipe, ema=0.997))
    assert recipe_notes([fitting]) == []


def test_every_committed_row_trained_on_and_held_out_the_images_that_its_data_draw_today():
    digits = load_set("digits")

    @cache
    def drawn(data):
        return draw(data, digits.train_labels).fingerprint

    for file in sorted((ROOT / "results").glob("*/records")):
        for result in (r for r in Store(file.parent).results() if r.status == "ok"):
            data = result.spec.data
            place = f"{file.parent.name} {result.trial_id}"
            assert semi_sizes(data, DATASETS[data.dataset].train_counts)[0] == result.train_counts, place
            held_out = sum(map(sum, result.validation_confusion))
            assert held_out == data.validation * len(result.train_counts), place
            if data.dataset == "digits":  # the only set that needs no folder
                assert result.environment["data_fingerprint"] == digits.fingerprint, place
                assert result.environment["subset_fingerprint"] == drawn(data), place


# Copies -------------------------------------------------------------------------------------------


def test_a_copied_record_does_not_count_twice(call, tmp_path):
    """This holds wherever records are read: in tables, reports, merges, compaction and the next run."""
    run = synthetic.store(tmp_path / "results" / "runs" / "quick", synthetic.run(["softmax", "focal"], seeds=3))
    record = next(run.records.glob("*.json"))
    copy = record.with_name("copy.json")
    shutil.copy(record, copy)
    words = (
        f"record results/runs/quick/records/copy.json is a copy of {record.name}"
        ": delete the file, because otherwise its trial would count twice"
    )
    for command in (
        ("table", "cb", "--run", "quick"), ("leaderboard",), ("compare", "quick"), ("report", "quick"), ("status", "quick"),
        ("verify", "quick"), ("merge", "quick", "--out", "both"), ("run", "quick", "--backend", "inline"),
    ):  # fmt: skip
        code, _, err = call(*command)
        assert (code, words in err) == (2, True), (command, err)
    with pytest.raises(UserError, match="delete the file, because otherwise its trial would count twice"):
        Store(run.path).compact()
    copy.unlink()
    assert len(Store(run.path).frame()) == 6


@pytest.mark.parametrize("name", ["0.json", "zz.json"])
def test_the_copy_is_the_one_whose_name_is_not_the_trials(tmp_path, name):
    run = synthetic.store(tmp_path / "run", [synthetic.trial()])
    (record,) = run.records.glob("*.json")
    shutil.copy(record, record.with_name(name))
    with pytest.raises(UserError, match=f"{name} is a copy of {record.name}"):
        list(Store(run.path).results())
    record.rename(record.with_name("5.json"))
    with pytest.raises(UserError, match=rf"5.json contains trial {record.stem}: rename the file to {record.name}") as told:
        list(Store(run.path).results())
    assert f"{name} contains trial" in str(told.value), "and the other too"


@pytest.fixture
def files_read(monkeypatch):
    """The stems of the records that are read."""
    read, reading = [], RecordFiles._read
    monkeypatch.setattr(RecordFiles, "_read", lambda self, path: (read.append(path.stem), reading(self, path))[1])
    return read


def test_parquet_after_a_change_is_that_of_all_records(tmp_path, files_read):
    finished = synthetic.run(["softmax", "focal[gamma=2]"], seeds=3)
    failed = replace(synthetic.trial(seed=9, status=FAILED, cause="lost"), environment={"command": "a command"})
    store = synthetic.store(tmp_path / "run", [*finished[:4], failed])
    store.compact()
    gone, again, succeeded = finished[0].trial_id, replace(finished[1], cause="another time"), synthetic.trial(seed=9)
    other = tmp_path / "other"
    changes = {
        "nothing is new": (lambda: None, set()),
        "one is new": (lambda: store.write(finished[4]), {finished[4].trial_id}),
        "the failed one succeeds": (lambda: store.write(succeeded), {failed.trial_id}),
        "and fails again": (lambda: store.write(failed), {failed.trial_id}),
        "one is replaced": (lambda: store.write(again), {again.trial_id}),
        "one is gone": (lambda: (store.records / f"{gone}.json").unlink(), set()),
        "the folder has another name": (lambda: Store(store.path.rename(other)).write(finished[5]), {finished[5].trial_id}),
    }
    for what, (change, expected) in changes.items():
        change()
        files_read.clear()
        now = Store(other if other.exists() else store.path)
        now.compact()
        assert set(files_read) == expected, what
        made = {path: pd.read_parquet(path) for path in now.path.glob("*.parquet")}
        assert len(made) == 4
        for path in made:
            path.unlink()
        Store(now.path).compact()
        for path, frame in made.items():
            pd.testing.assert_frame_equal(frame, pd.read_parquet(path), check_exact=True, obj=f"{what}: {path}")


@pytest.mark.parametrize("known_first", [True, False])
@pytest.mark.parametrize("blocks", [False, True])
def test_what_only_some_records_say_of_their_machine_has_the_types_and_words_of_all(tmp_path, monkeypatch, known_first, blocks):
    """Records made by hand or by another version may lack it; rows of both kinds meet in an update, and in blocks of a build."""
    results = synthetic.run(["softmax"], seeds=2)
    unknown = replace(results[1], environment={"command": "a command"})
    known = replace(results[0], environment={**results[0].environment, "git_dirty": False, "threads": 4})
    both = [known, unknown] if known_first else [unknown, known]
    together = synthetic.store(tmp_path / "run", both).frame()
    if blocks:
        monkeypatch.setattr(frames, "_BLOCK", 1)
        store = synthetic.store(tmp_path / "blocks" / "run", both)
        (store.path / "trials.parquet").unlink()
    else:
        store = synthetic.store(tmp_path / "one by one" / "run", both[:1])
        store.compact()
        store.write(both[1])
    made = Store(store.path).frame()
    store.compact()
    for frame in (made, Store(store.path).frame()):
        pd.testing.assert_frame_equal(frame, together)
    (with_threads,) = together.loc[together["trial_id"] == known.trial_id, "threads"]
    assert with_threads == 4 and together["threads"].isna().sum() == 1
    words = machines(made)
    assert len(words) == 2 and any("4 threads" in word for word in words)
    assert "an unknown device, an unknown number of threads, an unknown precision" in words


@pytest.mark.parametrize("part", ["the code", "a metric that reads predictions", "the list", "a row", "a file that is replaced"])
def test_all_records_are_read_if_something_else_decides_their_rows(tmp_path, files_read, monkeypatch, part):
    results = synthetic.run(["softmax"], seeds=3)
    store = synthetic.store(tmp_path / "run", results[:2])
    store.compact()
    if part == "the code":
        monkeypatch.setattr(layout, "_of_code", lambda *others: "another")
    elif part == "the list":
        listed = store.path / "parquet.records"
        listed.write_text(listed.read_text().replace(" ", " 1", 1))
    elif part == "a row":
        (store.path / "per_class.parquet").write_bytes(b"damaged")
    elif part == "a file that is replaced":  # by another process, after this one has compared its stamp
        read = parquet.read

        def read_once(run, name, columns=None):
            monkeypatch.setattr(parquet, "read", read)
            raise parquet.Damaged("its end is missing")

        monkeypatch.setattr(parquet, "read", read_once)
    else:
        needing = replace(METRICS["accuracy"], needs_predictions=True)
        monkeypatch.setitem(METRICS._items, "accuracy", needing)
    store.write(results[2])
    files_read.clear()
    with warnings.catch_warnings(action="ignore"):
        Store(store.path).compact()
    assert set(files_read) == {result.trial_id for result in results}


def test_rows_that_another_process_wrote_since_are_not_lost(tmp_path):
    results = synthetic.run(["softmax"], seeds=3)
    store = synthetic.store(tmp_path / "run", results[:2])
    store.compact()
    other = Store(store.path)
    assert len(other.statuses()) == 2 and len(other.frame()) == 2
    store.write(results[2])
    other.compact()
    store.compact()
    assert len(pd.read_parquet(store.path / "trials.parquet")) == 3 == len(Store(store.path).frame())


def test_what_another_process_ran_while_this_one_prepared_is_not_run_again(suite, store, finished):
    """Between the plan and the lock, data are decoded, features computed and Ray started: that can take hours."""
    planned, said = plan(suite, store), []
    for spec in planned.todo:
        Store(store.path).write(fake(finished, spec))
    before = {file.name: file.read_bytes() for file in store.records.iterdir()}

    class Nothing:
        def workers(self):
            return 1

        def run(self, jobs, listener):
            raise AssertionError("it trains again")

    execute(planned, store, Nothing(), Runtime(device="cpu"), said.append)
    assert said == ["tiny: nothing to run, 16 trials already finished"]
    assert {file.name: file.read_bytes() for file in store.records.iterdir()} == before


def test_a_reader_sees_whole_files_while_others_replace_them(tmp_path, monkeypatch):
    results = synthetic.run(["softmax"], seeds=3)
    store = synthetic.store(tmp_path / "run", results[:2])
    store.write(results[2])
    seen, rename = [], Path.replace

    def and_read(self, target):
        done = rename(self, target)
        if self.name.endswith(".part"):
            with warnings.catch_warnings(action="error"):
                seen.append({len(Store(store.path).frame()), Store(store.path).per_class()["trial_id"].nunique()})
        return done

    monkeypatch.setattr(Path, "replace", and_read)
    store.compact()
    assert seen == [{3}] * 6


def test_the_next_process_names_the_files_that_a_killed_one_left_beside_the_old_ones(tmp_path, monkeypatch):
    results = synthetic.run(["softmax"], seeds=3)
    store = synthetic.store(tmp_path / "run", results[:2])
    store.write(results[2])
    rename = Path.replace

    def killed(self, target):
        if self.name == ".trials.parquet.part":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.compact()
    monkeypatch.undo()
    assert len(pd.read_parquet(store.path / "trials.parquet")) == 2 and len(Store(store.path).frame()) == 3
    Store(store.path).compact()
    assert len(pd.read_parquet(store.path / "trials.parquet")) == 3 and not list(store.path.glob(".*.part"))


def test_the_row_of_a_plugins_recipe_has_the_label_that_it_had_when_it_was_run(tmp_path):
    here, made = replace(RECIPES["digits"], name="mine@1468cd32"), synthetic.trial()
    RECIPES._items["mine"], RECIPES._files["mine"] = here, Recorder("mine.py", "1468cd32")
    try:
        changed = replace(made, spec=replace(made.spec, recipe=replace(here, lr=0.4)))
        Driver(Store.create(tmp_path / "run"), line=None).keep(changed)
    finally:
        RECIPES.remove("mine")
    assert list(Store(tmp_path / "run").frame()["recipe"]) == ["mine@1468cd32[lr=0.4]"]


def test_a_file_that_was_damaged_after_it_was_checked_is_rebuilt_for_its_reader(tmp_path):
    store = synthetic.store(tmp_path / "run", synthetic.run(["softmax"], seeds=2))
    assert len(store.statuses()) == 2  # the files were found to be whole
    (store.path / "per_class.parquet").write_bytes(b"PAR1")
    assert store.per_class()["trial_id"].nunique() == 2


def test_parquet_that_has_a_trial_twice_is_refused(tmp_path):
    run = synthetic.store(tmp_path / "run", [synthetic.trial()])
    (record,) = run.records.glob("*.json")
    trials = Store(run.path).frame()
    parquet.write(run.path, {"trials": pd.concat([trials, trials])}, run._files.states())
    with pytest.raises(UserError, match=f"trials.parquet is damaged .it contains trial {record.stem} twice.: delete it"):
        Store(run.path).frame()
    shutil.rmtree(run.records)
    with pytest.raises(UserError, match=f"it contains trial {record.stem} twice.: copy it again"):
        Store(run.path).frame()


def test_the_structured_columns_give_back_what_the_records_say(tmp_path):
    results = synthetic.run(["focal[gamma=2]", "softmax"], seeds=2)
    frame = synthetic.store(tmp_path / "run", results).frame().set_index("trial_id")
    frame = frame.loc[[result.trial_id for result in results]]
    assert nested.specs_of(frame) == [result.spec for result in results]
    assert [dict(params) for params in nested.params_of(frame)] == [dict(result.spec.method.params) for result in results]
    environments = nested.environments_of(frame)
    assert [dict(environment) for environment in environments] == [result.environment for result in results]
    assert environments[0] is environments[1], "the same text is read once"
    with pytest.raises(TypeError):
        environments[0]["command"] = "another"
    assert nested.environments_of(frame.assign(environment="")) == [{}] * 4


def test_records_are_priced_where_no_suite_was_read():
    code = """
import json, pathlib
from bench.suites.cost import work
from lt_core.spec import TrialSpec
record = min(pathlib.Path("results/quick/records").glob("*.json"))
assert work(TrialSpec.from_dict(json.loads(record.read_text())["spec"])) > 0
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
