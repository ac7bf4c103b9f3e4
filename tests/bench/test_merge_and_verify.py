"""Runs of several machines, and rows that are run again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from bench.merge import merge
from bench.provenance import command
from bench.store import Store
from bench.suite import parse_suite
from bench.verify import verify
from lt_core.errors import UserError
from lt_core.training import Runtime, run_trial
from tests.bench.harness import TINY, cli


@pytest.fixture(scope="module")
def results():
    """Two real results of one epoch."""
    specs = parse_suite("tiny", TINY).specs[:2]
    return [run_trial(replace(spec, recipe=replace(spec.recipe, epochs=1))) for spec in specs]


@pytest.fixture
def store(tmp_path):
    def made(name, *results):
        store = Store.create(tmp_path / name)
        with store.lock():
            for result in results:
                store.write(result)
        return store

    return made


def test_runs_are_joined_and_a_finished_trial_wins_over_a_failed_one(store, results):
    first, second = results
    failed = replace(second, status="oom", cause="no memory", confusion=[])
    target = store("target", failed)
    assert merge([store("a", first, failed), store("b", first, second)], target.path) == (2, 3)
    assert {r.trial_id: r.status for r in target.results()} == {first.trial_id: "ok", second.trial_id: "ok"}
    assert len(target.frame()) == 2 and (target.path / "trials.parquet").is_file()
    assert merge([store("b")], target.path) == (0, 2)


def test_machines_of_one_kind_that_disagree_stop_the_merge(store, results, tmp_path):
    other = replace(results[0], confusion=results[1].confusion[::-1])
    target = tmp_path / "target"
    with pytest.raises(UserError, match=f"trial {results[0].trial_id} .* other figures .* `bench.py verify`"):
        merge([store("a", *results), store("b", other)], target)
    assert not target.exists(), "nothing is written then"
    elsewhere = replace(other, environment={**other.environment, "device_name": "another CPU"})
    assert merge([store("a"), store("c", elsewhere)], target) == (2, 1)


def test_a_run_of_parquet_alone_is_neither_merged_nor_verified(store, results, tmp_path):
    run = store("run", *results)
    run.compact()
    shutil.rmtree(run.records)
    with pytest.raises(UserError, match="has its Parquet alone, and merge needs the records"):
        merge([Store.open(run.path)], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="has its Parquet alone, and verify needs the records"):
        next(verify(Store.open(run.path), 1, Runtime()))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/home/me/bench.py run quick --out /scratch/me/runs", "bench.py run quick --out runs"),
        ("bench.py run /home/me/mine.yaml --data=/data/sets/ --only cb_*", "bench.py run mine.yaml --data=sets --only 'cb_*'"),
        ("bench.py run a/b.yaml --address ray://head:10001", "bench.py run a/b.yaml --address ray://head:10001"),
        ("bench.py run quick --data ~/data", "bench.py run quick --data data"),
    ],
)
def test_a_record_keeps_the_command_without_where_somebody_lives(given, kept):
    assert command(given.split()) == kept


def test_a_row_that_is_run_again_gives_its_figures_and_a_forged_one_is_found(store, results):
    forged = replace(results[1], confusion=[row[::-1] for row in results[1].confusion])
    run = store("run", results[0], forged)
    found = {v.trial_id: v for v in verify(run, 5, Runtime())}
    assert found[results[0].trial_id].same
    assert not found[forged.trial_id].same and "this should not be" in found[forged.trial_id].words
    with pytest.raises(UserError, match="no finished trial to verify"):
        next(verify(store("empty"), 1, Runtime()))


def test_both_through_the_command_line(store, results, tmp_path):
    a, b = store("a", results[0]), store("b", results[1])
    joined = cli("merge", str(a.path), str(b.path), "--out", str(tmp_path / "both"))
    assert joined.returncode == 0 and "2 records added, 0 trials were there more than once" in joined.stdout
    done = cli("verify", str(tmp_path / "both"), "--sample", "1")
    assert done.returncode == 0 and done.stdout.startswith("same "), done.stdout + done.stderr
    record = next((tmp_path / "both" / "records").glob("*.json"))
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, "confusion": [row[::-1] for row in values["confusion"]]}))
    assert cli("verify", str(tmp_path / "both")).returncode == 1
