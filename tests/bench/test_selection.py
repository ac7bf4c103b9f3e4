"""The records `Selection` and `Execution`, which the library and the command line share."""

from __future__ import annotations

import dataclasses
import re

import pytest

import bench
from bench import Execution, Selection
from bench.cli.listing import LISTINGS
from bench.report.render import FORMATS
from bench.running.backends.inline import Inline
from bench.running.backends.ray_tune import RayTune
from bench.running.driver import run_plan
from bench.running.execution import BACKENDS
from bench.suites.group import planned
from bench.suites.suite import parse_suite
from bench.tuning.choices import PRUNERS, SAMPLERS
from lt_core.errors import UserError
from lt_core.fields import domains
from lt_core.recipes import Recipe
from tests.bench.harness import TINY

SMALL = {"recipe": {"base": "digits", "epochs": 1}, "seeds": 1, "methods": ["softmax", "over_sampling"]}


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        ("3", (0, 1, 2)),
        (3, (0, 1, 2)),
        ("0,3,7", (0, 3, 7)),
        ("=5", (5,)),
        ("=0", (0,)),
        ([5], (5,)),
        (range(2, 4), (2, 3)),
        (None, None),
    ],
)
def test_seeds_are_a_number_of_them_or_a_list_in_text_and_in_python(given, seeds):
    assert Selection(seeds=given).seeds == seeds == Selection(subset_seeds=given).subset_seeds


@pytest.mark.parametrize(
    ("given", "message"),
    [
        *((text, "a number of seeds, at least 1, or a list of seeds such as 0,3,7") for text in ("many", "5,", "", [])),
        *((n, "a number of seeds from 1 to 10,000, or seeds such as 0,3,7") for n in ("0", "-1", 0, -2, "10001", 10**20)),
        *((seeds, "whole numbers from 0 to 4,294,967,295") for seeds in ("0,-1", [0, -1], f"={2**32}", [10**20])),
    ],
)
def test_seeds_that_are_none_are_refused(given, message):
    with pytest.raises(UserError, match=f"^--seeds must be {message}; got "):
        Selection(seeds=given)
    with pytest.raises(UserError, match=f"^--subset-seeds must be {message}; got "):
        Selection(subset_seeds=given)


def test_other_subsets_are_those_of_a_suite_with_these_subsets():
    some = parse_suite("small", {**TINY, "subset_seeds": [1, 4]})
    many = parse_suite("small", {**TINY, "subset_seeds": 15})
    assert {spec.trial_id for spec in bench.plan(many, subset_seeds=[1, 4]).specs} == {spec.trial_id for spec in some.specs}
    assert bench.plan(many, subset_seeds="=4", seeds=1).counts()["trials"] == bench.plan(some, seeds=1).counts()["trials"] / 2
    with pytest.raises(UserError, match="--subset-seeds and --where subset_seed both select subsets"):
        Selection(subset_seeds=3, where="subset_seed=0")


def test_where_is_read_from_text_as_the_mapping_that_it_says():
    text = Selection(where="dataset=digits, imbalance_factor=50")
    assert text.where == {"dataset": "digits", "imbalance_factor": "50"}
    suite = bench.load_suite("quick")
    mapping = Selection(where={"dataset": "digits", "imbalance_factor": 50})
    assert bench.plan(suite, selection=text).specs == bench.plan(suite, selection=mapping).specs != suite.specs


@pytest.mark.parametrize(
    ("record", "fields", "says"),
    [
        (Selection, {"epochs": 0}, "epochs must be 1 or more, got 0"),
        (Selection, {"limit": 0}, "limit must be 1 or more, got 0"),
        (Execution, {"cpus_per_trial": 0}, "cpus_per_trial must be 0.01 or more, got 0"),
        (Execution, {"gpus_per_trial": -1}, "gpus_per_trial must be 0 or more, got -1"),
        (Execution, {"trial_timeout": 0}, "trial_timeout must be 0.001 or more, got 0"),
        (Execution, {"backend": "inlin"}, "unknown backend 'inlin': did you mean 'inline'?"),
        (
            Execution,
            {"device": "cuda:1", "gpus_per_trial": 0},
            "--device cuda:1 needs a GPU, but --gpus-per-trial 0 gives a trial none: remove one of the two options",
        ),
    ],
)
def test_values_that_a_field_cannot_have_are_refused_before_anything_else(record, fields, says):
    with pytest.raises(UserError) as error:
        record(**fields)
    assert str(error.value) == says


def test_words_that_are_names_stay_names():
    """A method or folder may be called "None", and a filter with that text must not become no filter."""
    assert Selection(only="none").only == "none"
    assert Execution(data="null").data == "null"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"device": "tpu"}, "--device must be auto, cpu, cuda, or a numbered GPU such as cuda:1; got 'tpu'"),
        ({"device": "meta"}, "--device must be auto, cpu, cuda"),
        ({"address": "foo"}, "--address must be auto, HOST:PORT or ray://HOST:PORT; got 'foo'"),
        ({"backend": "inline", "address": "auto"}, "--address names a Ray cluster, but --backend inline does not use Ray"),
        ({"backend": "inline", "gpus_per_trial": 0.5}, "--gpus-per-trial 0.5 lets several trials share a GPU"),
    ],
)
def test_an_execution_that_cannot_be_is_refused(given, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        Execution(**given)


def test_what_is_said_of_the_execution_reaches_the_trial_and_the_scheduler(tmp_path):
    said = Execution(
        backend="ray", address="auto", cpus_per_trial=2.5, gpus_per_trial=0, trial_timeout=9, checkpoint_every=4,
        data=str(tmp_path), out=str(tmp_path / "runs"), embed=True, verbose=True,
    )  # fmt: skip
    assert said.out == tmp_path / "runs"
    runtime = said.runtime()
    assert (runtime.threads, runtime.device, runtime.time_limit, runtime.checkpoint_every) == (2, "cpu", 9, 4)
    assert (runtime.data_dir, runtime.embed) == (str(tmp_path), True)
    assert said.scheduler() == RayTune("auto", 2.5, 0, True)
    assert Execution(backend="inline", cpus_per_trial=0.5).scheduler() == Inline()
    assert Execution(cpus_per_trial=0.5).runtime().threads == 1


def test_fields_as_keywords_stand_in_for_those_of_the_records():
    suite = bench.load_suite("quick")
    asked = Selection(only="cb_*", seeds=2)
    words = bench.plan(suite, only="cb_*", seeds=[0, 1])
    assert bench.plan(suite, selection=asked).specs == words.specs
    assert {spec.seed for spec in bench.plan(suite, selection=asked, seeds=[9]).specs} == {9}, "a keyword wins"
    assert asked.seeds == (0, 1)
    with pytest.raises(UserError, match="unknown option 'seedz': did you mean 'seed'"):
        bench.plan(suite, seedz=2)


def test_a_run_by_keywords_is_that_of_the_records(write_suite, tmp_path):
    path = write_suite(**SMALL)
    one = bench.run(path, only="soft*", backend="inline", out=tmp_path / "one")
    two = bench.run(path, selection=Selection(only="soft*"), execution=Execution(backend="inline", out=tmp_path / "two"))
    assert one.path == tmp_path / "one" / "tiny" and two.path == tmp_path / "two" / "tiny"
    assert one.statuses() == two.statuses() and set(one.statuses().values()) == {"ok"} and len(one.statuses()) == 2
    for call in (bench.run, bench.tune):
        with pytest.raises(UserError, match="unknown option 'backed': did you mean 'backend'"):
            call(path, backed="inline")


def test_a_plan_that_is_run_later_runs_nothing_that_was_finished_meanwhile(write_suite, tmp_path, capsys):
    path, execution = write_suite(**SMALL), Execution(backend="inline", out=tmp_path / "out")
    ((early, store),) = planned([path], execution.out, Selection())
    assert len(early.todo) == 4
    bench.run(path, only="softmax", execution=execution)
    before = {file.name: file.stat().st_mtime_ns for file in store.records.iterdir()}
    capsys.readouterr()
    run_plan(early, execution)
    assert "tiny: 2 trials to run" in capsys.readouterr().out
    after = {file.name: file.stat().st_mtime_ns for file in store.records.iterdir()}
    assert len(after) == 4 and {name: after[name] for name in before} == before


def test_the_command_line_expands_each_suite_once(call, write_suite, monkeypatch):
    from bench.suites import group

    expanded, expand = [], group.plan

    def counted(suite, *arguments, **fields):
        expanded.append(suite.name)
        return expand(suite, *arguments, **fields)

    monkeypatch.setattr(group, "plan", counted)
    monkeypatch.setattr("bench.suites.planning.plan", counted)
    both = [write_suite(name, **SMALL) for name in ("one", "two")]
    assert call("run", *both, "--backend", "inline")[0] == 0
    assert expanded == ["one", "two"]


def test_every_field_is_an_option_of_run_with_its_words(call):
    _, out, _ = call("run", "--help")
    text = " ".join(out.split())
    for record in (Selection, Execution):
        for field in dataclasses.fields(record):
            assert f"--{field.name.replace('_', '-')}" in text
            assert field.metadata["domain"].help in text


@pytest.mark.parametrize(
    ("name", "choices"),
    [("run", BACKENDS), ("run", domains(Recipe)["precision"].choices), ("tune", SAMPLERS), ("tune", PRUNERS), ("table", FORMATS),
     ("list", LISTINGS)],
)  # fmt: skip
def test_help_shows_what_there_is_to_choose(call, name, choices):
    _, out, _ = call(name, "--help")
    assert "|".join(choices) in "".join(out.split()).replace("│", "")


def test_tune_and_plan_take_the_options_that_concern_them(call, write_suite):
    options = {name: set(call(name, "--help")[1].split()) for name in ("plan", "tune")}
    assert {"--only", "--where", "--seeds", "--limit", "--retry-failed", "--out", "--workers"} <= options["plan"]
    assert not {"--backend", "--device", "--data"} & options["plan"]
    assert {"--backend", "--device", "--data", "--retry-failed", "--out", "--verbose"} <= options["tune"]
    assert not {"--only", "--where", "--seeds", "--limit", "--embed", "--keep", "--trial-timeout"} & options["tune"]
    _, out, _ = call("plan", write_suite(**{**TINY, **SMALL}), "--seeds", "4,6", "--limit", "3", "--workers", "5")
    assert "3 trials, 0 done, 0 failed, 3 left" in out and "with 5 at a time" in out
