"""The clock that Python sees is changed during a run. Durations and order must come from a clock that nobody can set.

The machine's own clock is not changed, so Ray's daemons, which are not written in Python, do not notice. A preloaded library that
changes it for them too (Debian's libfaketime, or a few lines of C) also makes them wait for times that never come.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.records.store import Store
from tests.bench.harness import ROOT, cli, records, same, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# Python imports it at its start, in the driver and in each of Ray's processes.
SITECUSTOMIZE = """
import time
from pathlib import Path


def off(real, unit):
    return lambda: real() + int(Path({file!r}).read_text() or 0) * unit


time.time, time.time_ns = off(time.time, 1), off(time.time_ns, 10**9)
"""


@pytest.fixture
def clock(tmp_path, monkeypatch) -> Path:
    """The file with the number of seconds by which the clock of this test's processes is wrong."""
    file = tmp_path / "clock"
    file.write_text("0")
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(file=str(file)))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
    return file


def test_a_clock_that_is_set_costs_no_record_and_changes_no_figure(clock, reference, tmp_path, tmp_path_factory, monkeypatch):
    """The clock goes back by an hour, and then forward by two days."""
    suite, expected = reference
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
    run, log = tmp_path / "tiny", tmp_path / "log"
    process = start("run", suite, "--out", str(tmp_path), "--checkpoint-every", "0.5", log=log)
    try:
        wait_for(lambda: len(records(run)) >= 2, process)
        clock.write_text("-3600")
        wait_for(lambda: len(records(run)) >= 5, process)
        clock.write_text("172800")
        assert process.wait(timeout=200) == 0, log.read_text()
    finally:
        process.kill()
    frame = Store(run).frame()
    assert set(frame["status"]) == {"ok"}
    assert frame["train_seconds"].between(0, 300).all(), "a duration is none of two times of day"
    same(run, expected)
    clock.write_text("0")
    again = cli("run", suite, "--out", str(tmp_path))
    assert again.returncode == 0 and "at a time" not in again.stdout, "nothing is left to run, whatever the time"
