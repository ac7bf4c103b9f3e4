"""Merging runs from several machines, and running rows again."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.records import certificate
from bench.records.merge import merge
from bench.records.provenance import command
from bench.records.record import encoded
from bench.records.store import Store
from bench.records.stored import from_record
from bench.running.verify import OTHER, REPLICATE, SAME, _verdict, finished, verify
from bench.suites.suite import parse_suite
from lt_core.errors import UserError
from lt_core.training import Runtime, run_trial, runtime
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
    with pytest.raises(UserError, match=f"trial {results[0].trial_id} .* different figures .* `bench.py verify`"):
        merge([store("a", *results), store("b", other)], target)
    assert not target.exists(), "nothing is written then"
    elsewhere = replace(other, environment={**other.environment, "device_name": "another CPU"})
    told: list[str] = []
    assert merge([store("a"), store("c", elsewhere)], target, told.append) == (2, 1)
    (words,) = told
    assert words.startswith("1 trial of ") and "not merged: the target run already has them" in words


def test_features_that_another_processor_computed_make_figures_differ(store, results, tmp_path):
    one, two = (replace(results[0], environment={**results[0].environment, "features_fingerprint": name}) for name in "ab")
    two = replace(two, confusion=results[1].confusion[::-1])
    told: list[str] = []
    assert merge([store("a", one), store("b", two)], tmp_path / "target", told.append) == (1, 1)
    assert "with figures of another kind of device" in told[0]
    verdict = _verdict(from_record(two), one)
    assert verdict.kind == REPLICATE and verdict.elsewhere and "features_fingerprint b then, a now" in verdict.words
    unknown = {key: value for key, value in two.environment.items() if key != "features_fingerprint"}
    assert _verdict(from_record(replace(two, environment=unknown)), one).kind == OTHER, "an older record says nothing of it"


@pytest.mark.parametrize("killed_at", range(7))
@pytest.mark.parametrize("there", [True, False])
def test_a_merge_of_parquet_files_that_is_killed_loses_no_row_and_goes_on(
    store, results, tmp_path, monkeypatch, killed_at, there
):
    """The files are written beside the old ones, and replace them one after the other."""
    first, second = results
    out = tmp_path / "out"
    runs = [rows_alone(store("a", first)), rows_alone(store("b", second))]
    if there:
        merge(runs[:1], out)
    renamed, rename = [], Path.replace

    def one_more(self, target):
        if self.name.endswith(".part"):
            if len(renamed) == killed_at:
                raise KeyboardInterrupt
            renamed.append(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", one_more)
    if killed_at < 6:
        with pytest.raises(KeyboardInterrupt):
            merge(runs, out)
    else:
        merge(runs, out)
    monkeypatch.undo()
    ids = {first.trial_id, second.trial_id} if killed_at else {first.trial_id} if there else set()
    with warnings.catch_warnings(action="error"):
        after = Store(out)
        assert set(after.frame()["trial_id"]) == ids == set(after.per_class()["trial_id"]) == set(after.curves()["trial_id"])
        merge(runs, out)
    whole = Store.open(out)
    assert set(whole.frame()["trial_id"]) == {first.trial_id, second.trial_id} == set(whole.per_class()["trial_id"])
    assert whole.only_parquet() and not list(out.glob(".*.part")), "the next merge finishes the work of the one before"


def rows_alone(run):
    """``run`` as the committed runs are: Parquet files without records."""
    run.compact()
    shutil.rmtree(run.records)
    return Store.open(run.path)


def test_runs_of_parquet_alone_are_merged_into_one_of_parquet_alone(store, results, tmp_path):
    first, second = results
    failed = replace(second, status="oom", cause="no memory", confusion=[])
    whole = store("whole", *results)
    whole.compact()
    out, told = tmp_path / "merged", []
    assert merge([rows_alone(store("a", first, failed)), store("b", first, second)], out, told.append) == (2, 2)
    assert told == [f"{out} consists of Parquet files alone, because there are no records in {tmp_path / 'a'}"]
    merged = Store.open(out)
    for made, meant in zip(*([s.frame(), s.per_class(), s.curves()] for s in (merged, whole)), strict=True):
        assert made.drop(columns="suite", errors="ignore").equals(meant.drop(columns="suite", errors="ignore"))
    assert set(merged.frame()["suite"]) == {"merged"} and merged.only_parquet()
    assert merge([whole], out) == (0, 2), "a second merge adds nothing"
    assert merge([rows_alone(store("third", replace(first, spec=replace(first.spec, seed=9))))], out) == (1, 0)
    assert len(Store.open(out).frame()) == 3
    with pytest.raises(
        UserError, match=r"merged contains only Parquet files, which cannot be merged into the records of .*records: choose"
    ):
        merge([merged], store("records", second).path)


def test_rows_of_parquet_alone_that_disagree_stop_the_merge(store, results, tmp_path):
    other = replace(results[0], confusion=results[1].confusion[::-1])
    with pytest.raises(UserError, match=f"trial {results[0].trial_id} .* different figures"):
        merge([rows_alone(store("a", *results)), store("b", other)], tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_merged_run_keeps_what_its_trials_left(store, results, tmp_path):
    runs = [store("a", results[0]), store("b", results[1])]
    for run, result in zip(runs, results, strict=True):
        run.predictions.mkdir()
        (run.predictions / f"{result.trial_id}.npz").write_text(run.path.name)
    merge([rows_alone(runs[0]), runs[1]], tmp_path / "out")
    assert {file.read_text() for file in (tmp_path / "out" / "predictions").iterdir()} == {"a", "b"}


@pytest.fixture
def damage():
    """Change a Parquet file of a run as another program might."""

    def change(run, name, to):
        file = run.path / f"{name}.parquet"
        to(pd.read_parquet(file)).to_parquet(file)
        (run.path / "parquet.sha256").unlink()
        return Store.open(run.path)

    return change


@pytest.mark.parametrize(
    ("name", "to", "words"),
    [
        ("trials", lambda frame: frame.drop(columns="git_commit"), "an older version and lacks the column git_commit"),
        ("trials", lambda frame: frame.assign(trial_id=["0" * 16, "1" * 16]), "the spec of trial 0{16} belongs to trial"),
        ("per_class", lambda frame: frame[:0], "has no figures by class of trial .* copy per_class.parquet there again"),
    ],
    ids=["older", "another id", "no figures by class"],
)
def test_rows_that_cannot_be_trusted_are_neither_merged_nor_verified(store, results, tmp_path, damage, name, to, words):
    run = damage(rows_alone(store("run", *results)), name, to)
    with pytest.raises(UserError, match=words):
        merge([run], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=words):
        next(verify(finished(run), 1, Runtime()))


def test_a_disk_that_is_full_in_the_middle_of_a_merge_leaves_the_rows_as_they_were(store, results, tmp_path, monkeypatch):
    out, written = tmp_path / "out", []
    merge([rows_alone(store("a", results[0]))], out)
    other = rows_alone(store("b", results[1]))

    def full(path, content):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        return len(content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"No space left .* nothing is lost"):
        merge([other], out)
    monkeypatch.undo()
    assert Store.open(out).frame()["trial_id"].tolist() == [results[0].trial_id] and not list(out.glob(".*.part"))


def test_a_merge_that_another_process_overtakes_is_refused(store, results, tmp_path, monkeypatch):
    out, first, second = tmp_path / "out", rows_alone(store("a", results[0])), rows_alone(store("b", results[1]))
    create = Store.create

    def overtaken(path):
        monkeypatch.setattr(Store, "create", create)
        merge([second], out)
        return create(path)

    monkeypatch.setattr(Store, "create", overtaken)
    with pytest.raises(UserError, match=r"another process has written to .*out in the meantime"):
        merge([first], out)
    assert Store.open(out).frame()["trial_id"].tolist() == [results[1].trial_id]


def test_no_record_is_written_beside_rows_of_parquet_alone(call, store, results, tmp_path):
    """The Parquet files would be rebuilt from that record alone. The refusal comes before images are looked for."""
    run = rows_alone(store("run", results[0]))
    with pytest.raises(UserError, match=r"only Parquet files, .* discard their rows: choose another --out"), run.lock():
        pass
    rows_alone(store("mnist", results[0]))
    code, _, err = call("run", "mnist", "--data", str(tmp_path / "none"), "--out", str(tmp_path), "--backend", "inline")
    assert code == 2 and "mnist contains only Parquet files, and writing a record there would discard their rows" in err
    assert Store.open(run.path).frame()["trial_id"].tolist() == [results[0].trial_id]


def test_records_that_are_copied_beside_merged_rows_do_not_hide_them(store, results, tmp_path):
    out = tmp_path / "out"
    merge([rows_alone(store("a", *results))], out)
    shutil.copytree(store("b", results[0]).records, out / "records", dirs_exist_ok=True)
    with pytest.raises(UserError, match="was merged from Parquet files, whose rows its records would replace: move its folder"):
        Store.open(out).statuses()


def test_rows_of_parquet_alone_are_verified_by_class(store, results):
    forged = replace(results[1], confusion=[row[::-1] for row in results[1].confusion])
    run = rows_alone(store("run", results[0], forged))
    found = {v.trial_id: v for v in verify(finished(run), 5, Runtime())}
    assert found[results[0].trial_id].kind == SAME
    assert found[forged.trial_id].kind == OTHER and found[forged.trial_id].words.startswith("accuracy +")


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
    found = {v.trial_id: v for v in verify(finished(run), 5, Runtime())}
    assert found[results[0].trial_id].kind == SAME
    assert found[forged.trial_id].kind == OTHER and "where figures should be identical" in found[forged.trial_id].words
    with pytest.raises(UserError, match="no finished trial to verify"):
        next(verify(finished(store("empty")), 1, Runtime()))


def test_two_generations_of_a_processor_may_have_one_name(store, results, monkeypatch):
    """A virtual machine says "AMD EPYC" of several, whose figures differ. Records from before the field say nothing of it."""
    monkeypatch.setattr(runtime, "_processor", lambda: "AuthenticAMD 23/1")
    forged = replace(results[0], confusion=[row[::-1] for row in results[0].confusion])

    def verdict(result, **processor):
        kept = {key: value for key, value in result.environment.items() if key != "processor"}
        folder = store(f"{result.trial_id} {processor}".replace("/", "-"), replace(result, environment={**kept, **processor}))
        return next(verify(finished(folder), 1, Runtime()))

    assert verdict(forged, processor="AuthenticAMD 23/1").kind == OTHER
    other = verdict(forged, processor="AuthenticAMD 25/1")
    assert other.kind == REPLICATE and "processor AuthenticAMD 25/1 then, AuthenticAMD 23/1 now" in other.words
    old = verdict(forged)
    assert old.kind == REPLICATE and "older than the field that says which" in old.words
    assert verdict(results[1]).words == "identical figures"


@pytest.mark.parametrize("older", [False, True], ids=["both", "only the later one, because the field is new"])
def test_a_trial_whose_record_names_an_operation_that_varies_may_have_other_figures(store, results, tmp_path, older):
    varying = {**results[0].environment, "not_repeatable": "gradient of some padding"}
    first = results[0] if older else replace(results[0], environment=varying)
    other = replace(results[0], environment=varying, confusion=results[1].confusion[::-1])
    told: list[str] = []
    assert merge([store("a", first), store("b", other)], tmp_path / "target", told.append) == (1, 1)
    assert "1 trial of " in told[0] and "not merged" in told[0]
    (verdict,) = verify(finished(Store(tmp_path / "b")), 1, Runtime(device="cpu"))
    assert verdict.kind == REPLICATE and verdict.good
    assert verdict.words.endswith("gradient of some padding gives other bits each time")


def test_both_through_the_command_line(store, results, tmp_path):
    a, b = store("a", results[0]), store("b", results[1])
    joined = cli("merge", str(a.path), str(b.path), "--out", str(tmp_path / "both"))
    assert joined.returncode == 0 and "2 trials added; 0 trials occurred more than once" in joined.stdout
    done = cli("verify", str(tmp_path / "both"), "--sample", "1")
    assert done.returncode == 0 and done.stdout.startswith("same "), done.stdout + done.stderr
    record = next((tmp_path / "both" / "records").glob("*.json"))
    honest = Store(tmp_path / "both").read(record.stem)
    record.write_bytes(encoded(replace(honest, confusion=[row[::-1] for row in honest.confusion])))
    assert cli("verify", str(tmp_path / "both")).returncode == 1


def elsewhere(result, hits):
    """``result`` as another processor might have measured it, with ``hits`` fewer correct predictions in the first row."""
    confusion = [list(row) for row in result.confusion]
    best = max(range(10), key=lambda c: confusion[c][c])
    confusion[best][best] -= hits
    confusion[best][best - 1] += hits
    return replace(result, confusion=confusion, environment={**result.environment, "device_name": "another CPU"})


def test_rows_of_another_kind_of_device_are_a_replicate_whose_spread_is_told(call, store, results):
    """Two differences of a and b points have the mean (a + b)/2 and the standard deviation |a − b|/√2."""
    run = store("run", *(elsewhere(result, hits) for result, hits in zip(results, (10, 30), strict=True)))
    images = sum(map(sum, results[0].confusion))
    shares = [100 * hits / images for hits in (10, 30)]
    code, out, _ = call("verify", str(run.path), "--certificate")
    assert code == 0 and out.count("replicate  ") == 2 and "device_name another CPU then, " in out
    assert f"  all: +{sum(shares) / 2:.2f} ± {(shares[1] - shares[0]) / 2**0.5:.2f} (n = 2)" in out
    assert ("  softmax: +" in out) == (len({r.spec.method.label for r in results}) > 1)
    code, _, err = call("verify", str(run.path), "--sample", "1", "--certificate")
    assert code == 2 and "tells of 2 trials that were run again" in err, "a smaller certificate replaces no larger one"
    assert "run again" in certificate.words(run.path)
    other_images = {**results[0].environment, "device_name": "another CPU", "data_fingerprint": "0"}
    forged = replace(elsewhere(results[0], 10), environment=other_images)
    code, out, _ = call("verify", str(store("images", forged).path))
    assert code == 1 and "different images: data_fingerprint 0 then" in out, "no other device explains other images"


def test_verify_draws_at_random_and_a_draw_can_be_repeated(call, store, results, monkeypatch):
    seeds = [replace(results[0], spec=replace(results[0].spec, seed=seed)) for seed in range(20)]
    by_id = {result.trial_id: result for result in seeds}
    run = store("run", *seeds)
    monkeypatch.setattr("bench.running.verify.run_trial", lambda spec, runtime: by_id[spec.trial_id])
    draws = [call("verify", str(run.path), "--sample", "3")[1].splitlines() for _ in range(6)]
    assert len({tuple(sorted(draw[:3])) for draw in draws}) > 1, "always the same rows"
    (seed,) = (line.split()[-1] for line in draws[0] if line.startswith("these trials were chosen with --sample-seed"))
    assert call("verify", str(run.path), "--sample", "3", "--sample-seed", seed)[1].splitlines() == draws[0]
