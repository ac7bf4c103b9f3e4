"""Folders in the temporary directory: those of living processes are kept, and those of dead ones are removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.running import scratch
from tests.bench.harness import ROOT, wait_for

HOLD = """
import time
from pathlib import Path
from bench.running import scratch
session = scratch.ray_folder() / "session_2026-01-01_1"
session.mkdir(parents=True)
scratch.keep(session)
with scratch.scratch() as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(monkeypatch, tmp_path) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    return tmp_path


def there(folder: Path) -> set[str]:
    return {path.name.split("-bench-")[0] for path in [*folder.glob("lt-bench-*"), *folder.glob("lt-ray/*")]}


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(temporary):
    log = temporary / "log"
    with open(log, "w") as file:
        owner = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdout=file, cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)}
        )
    try:
        wait_for(log.read_text, owner)
        scratch.sweep()
        assert there(temporary) == {"lt", "session_2026-01-01_1"}
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert there(temporary) == {"lt", "session_2026-01-01_1"}
    scratch.sweep()
    assert there(temporary) == set()


def test_a_folder_goes_with_its_block_and_nothing_of_others_goes(temporary):
    (temporary / "lt-bench-of-an-older-version").mkdir()
    (temporary / "else").mkdir()
    with scratch.scratch() as folder:
        scratch.sweep()
        assert folder.is_dir()
    assert not folder.exists()
    scratch.sweep()
    assert {path.name for path in temporary.iterdir()} == {"lt-bench-of-an-older-version", "else"}


def test_a_session_whose_driver_was_killed_before_it_could_mark_it_goes_after_an_hour(temporary):
    old, new = (temporary / "lt-ray" / f"session_2026-01-01_{name}" for name in ("old", "new"))
    for session, hours in ((old, 2), (new, 0.5)):
        session.mkdir(parents=True)
        os.utime(session, (time.time() - 3600 * hours,) * 2)
    scratch.sweep()
    assert [path.name for path in (temporary / "lt-ray").iterdir()] == [new.name]


def test_processes_that_outlive_their_session_are_ended(temporary):
    dead, living = (temporary / "lt-ray" / f"session_2026-01-01_{number}" for number in (1, 2))
    agents = []
    for session in (dead, living):
        session.mkdir(parents=True)
        with open(session / "agent.log", "w") as log:
            agents.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=log))
    try:
        os.utime(dead, (0, 0))
        scratch.sweep()
        assert agents[0].wait(timeout=10) == -signal.SIGKILL
        assert agents[1].poll() is None
    finally:
        for agent in agents:
            agent.kill()
            agent.wait()
