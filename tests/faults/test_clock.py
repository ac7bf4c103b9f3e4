"""The machine's clock is set while a run goes on: durations and order come from a clock that nobody sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.records.store import Store
from tests.bench.harness import cli, records, same, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def clock(tmp_path, monkeypatch) -> Path:
    """A file that says how far the clocks of this test's processes are off; see Debian's package ``faketime``."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed")
    file = tmp_path / "clock"
    file.write_text("+0")
    monkeypatch.setenv("LD_PRELOAD", str(found[0]))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_CACHE_DURATION", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return file


@pytest.mark.parametrize("set_by", ["-1h", "+2d"])
def test_a_clock_that_is_set_costs_no_record_and_changes_no_figure(
    clock, reference, tmp_path, tmp_path_factory, monkeypatch, set_by
):
    suite, expected = reference
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
    run, log = tmp_path / "tiny", tmp_path / "log"
    process = start("run", suite, "--out", str(tmp_path), "--checkpoint-every", "0.5", log=log)
    try:
        wait_for(lambda: len(records(run)) >= 2, process)
        clock.write_text(set_by)
        assert process.wait(timeout=200) == 0, log.read_text()
    finally:
        process.kill()
    frame = Store(run).frame()
    assert set(frame["status"]) == {"ok"}
    assert frame["train_seconds"].between(0, 300).all(), "a duration is none of two times of day"
    same(run, expected)
    clock.write_text("+0")
    again = cli("run", suite, "--out", str(tmp_path))
    assert again.returncode == 0 and "at a time" not in again.stdout, "nothing is left to run, whatever the time"
