"""Records are checked when they are read: digest, name, types, shapes and ranges; all damage is reported at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.records import record as record_file
from bench.records.merge import merge
from bench.records.record import decoded, encoded, sealed
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.result import FAILED, TrialResult
from tests.bench import synthetic
from tests.bench.harness import ROOT

COMMITTED = ROOT / "results" / "quick" / "records"


@pytest.fixture
def run(tmp_path):
    return synthetic.store(tmp_path / "run", synthetic.run(["softmax", "focal"], seeds=3))


def changed(path: Path, change) -> None:
    """Apply ``change`` to the record in ``path`` and write it again, with the right digest."""
    values = json.loads(path.read_text())
    del values["sha256"]
    change(values)
    path.write_bytes(sealed(values))


def flipped(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def test_a_record_holds_the_digest_of_all_that_follows_it_and_reads_as_json(run):
    result = next(run.results())
    content = encoded(result)
    values = json.loads(content)
    assert list(values)[:3] == ["sha256", "schema", "trial_id"] and values["schema"] == 2
    assert decoded(content) == ({**result.to_record()}, True)
    assert decoded(json.dumps(result.to_record()).encode())[1] is False, "old records have none"


def test_versions_from_before_are_told_that_a_newer_one_wrote_it(run):
    """They reject a higher schema before they reach a field that they do not know."""
    assert json.loads(encoded(next(run.results())))["schema"] > 1


def test_one_flipped_bit_anywhere_is_found(run):
    path = sorted(run.records.glob("*.json"))[0]
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 300)):
        flipped(path, place, place % 8)
        with pytest.raises(UserError, match=path.name):
            Store(run.path).read(path.stem)
        path.write_bytes(whole)


def test_committed_rows_without_a_digest_are_read_as_they_were():
    before = {path.name: path.read_bytes() for path in COMMITTED.glob("*.json")}
    results = list(Store(COMMITTED.parent).results())
    assert len(results) == len(before) > 100
    assert {path.name: path.read_bytes() for path in COMMITTED.glob("*.json")} == before
    assert all(decoded(content)[1] is False for content in before.values())


def test_counts_of_a_record_without_a_digest_that_contradict_each_other_are_found(tmp_path):
    run = Store.create(tmp_path / "run")
    original = min(COMMITTED.glob("*.json"))
    for key in ("confusion", "calibration", "validation_confusion", "curve"):
        values = json.loads(original.read_text())
        if key == "curve":
            values[key][-1]["test_accuracy"] -= 0.004
        else:
            values[key][0][0] += 1
        (run.records / original.name).write_text(json.dumps(values))
        with pytest.raises(UserError, match=r"is damaged \(.*contradict each other\)"):
            Store(run.path).frame()


def test_all_bad_files_are_told_at_once_each_with_its_fix_and_are_left_alone(run, call):
    files = sorted(run.records.glob("*.json"))
    flipped(files[0], 2000)
    files[1].write_text("[]")
    changed(files[2], lambda values: values.update(colour="red"))
    files[3].rename(files[3].with_name("mine.json"))
    shutil.copy(files[4], files[4].with_name("copy.json"))
    before = {path.name: path.read_bytes() for path in run.records.iterdir()}
    code, _, err = call("table", "cb", "--run", str(run.path))
    assert code == 2 and err.startswith("error: 5 records cannot be read:\n")
    for words in (
        f"record {files[0]} is damaged (",
        f"record {files[1]} is damaged (it is a JSON list, not an object): delete it, and its trial will run again",
        f"record {files[2]} was written by a newer version of the benchmark, or is damaged (it has a field 'colour', which this "
        "version does not know): try a newer version of the benchmark before you delete it",
        f"record {run.records}/mine.json contains trial {files[3].stem}: rename the file to {files[3].name}",
        f"record {run.records}/copy.json is a copy of {files[4].name}"
        ": delete the file, because otherwise its trial would count twice",
    ):
        assert words in err
    assert {path.name: path.read_bytes() for path in run.records.iterdir()} == before


def test_the_rest_can_be_used_and_what_is_left_out_is_named_and_kept_out_of_parquet(run, call, tmp_path):
    files = sorted(run.records.glob("*.json"))
    parquet = {path.name: path.read_bytes() for path in run.path.glob("*.parquet")}
    flipped(files[0], 2000)
    files[1].write_text("{")
    for command in (
        ("table", "cb", "--run"), ("status",), ("compare",), ("leaderboard", "--run"), ("report",),
        ("export", "--out", str(tmp_path / "exported"), "--run"), ("plot", "curves", "--run"),
        ("merge", "--out", str(tmp_path / "both")),
    ):  # fmt: skip
        assert call(*command, str(run.path))[0] == 2, command
        with pytest.warns(UserWarning, match=f"unreadable records left out of {run.path}: 2 records cannot be read:") as told:
            assert call(*command, str(run.path), "--skip-damaged")[0] == 0, command
        assert all(str(file) in str(told[0].message) for file in files[:2])
    assert {path.name: path.read_bytes() for path in run.path.glob("*.parquet")} == parquet
    assert len(Store(tmp_path / "both").frame()) == 4, "each that can be read is counted once"
    left = Store(run.path, skip_damaged=True)
    with pytest.warns(UserWarning, match="left out"):
        left.compact()
    assert {path.name: path.read_bytes() for path in run.path.glob("*.parquet")} == parquet
    with pytest.raises(UserError, match="2 records cannot be read"):
        Store(run.path).frame()


def test_a_warning_is_a_sentence_on_the_command_line(run):
    flipped(sorted(run.records.glob("*.json"))[0], 2000)
    words = [sys.executable, str(ROOT / "bench.py"), "status", str(run.path), "--skip-damaged"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (
        done.stderr.startswith(f"warning: unreadable records left out of {run.path}: record {run.records}/")
        and done.stderr.count("\n") == 1
    )
    assert "5" in done.stdout


def test_what_a_newer_version_wrote_is_never_called_damaged_alone(run):
    path = sorted(run.records.glob("*.json"))[0]
    whole = path.read_bytes()
    newer = r"was written by a newer version of the benchmark, or is damaged .*: try a newer version"
    for change in (
        lambda values: values.update(schema=3),
        lambda values: values.update(colour=1),
        lambda values: values["spec"].update(colour=1),
        lambda values: values["spec"]["data"].update(colour=1),
        lambda values: values["spec"]["method"].update(colour=1),
        lambda values: values["spec"]["recipe"].update(colour=1),
        lambda values: values["spec"]["data"].update(dataset="of_tomorrow"),
        lambda values: values.update(status="of_tomorrow"),
    ):
        changed(path, change)
        with pytest.raises(UserError, match=newer):
            Store(run.path).read(path.stem)
        path.write_bytes(whole)


def test_a_merge_seals_what_it_writes(run, tmp_path):
    merge([Store(COMMITTED.parent), run], tmp_path / "both", say=lambda words: None)
    assert all(decoded(path.read_bytes())[1] for path in (tmp_path / "both" / "records").glob("*.json"))


def test_a_failed_trial_needs_no_figures(tmp_path):
    run = synthetic.store(tmp_path / "run", [synthetic.trial(status=FAILED, cause="no")])
    assert [result.status for result in Store(run.path).results()] == [FAILED]
    assert isinstance(next(Store(run.path).results()), TrialResult)


def test_a_machine_without_orjson_reads_the_same(run, monkeypatch):
    monkeypatch.setattr(record_file, "loads", json.loads)
    assert len(list(Store(run.path).results())) == 6
    path = sorted(run.records.glob("*.json"))[0]
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"is damaged \(it is nested too deeply\)"):
        Store(run.path).read(path.stem)
