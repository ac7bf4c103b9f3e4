"""Faults × components: how a run ends, that no finished trial is lost or rewritten, and that the next run has the same figures.

    component    fault                   outcome
    driver       SIGKILL, SIGTERM, …     the run ends, with exit code 130 if it was asked to; the same command continues
    worker       SIGKILL, SIGSTOP        the run goes on
    raylet, gcs  SIGKILL                 noticed within 15 s, a sentence, exit code 2; the same command continues
    raylet       SIGSTOP                 the run goes on
    disk         full, read-only         a sentence, exit code 2; the same command continues

A node of a cluster is killed in tests/bench/test_cluster.py, a study's driver in tests/bench/test_tuning.py. test_network.py cuts
the network between two nodes, and test_clock.py sets the clock.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from bench.records.store import Store
from benchmarks.faults import FAULTS, small_disk, workers
from tests.bench.harness import cli, records, same, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
NOTICED = 20.0  # seconds from the death of a daemon to the end of the run: 15, plus some for a busy machine


@pytest.fixture
def out(tmp_path_factory, monkeypatch):
    """A disk for the run alone, and a temporary directory of its own, with a short name because it holds sockets."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")  # otherwise Ray ends our workers if other processes fill the memory
    folder = tmp_path_factory.mktemp("out")
    try:
        with small_disk(folder):
            yield folder
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("only root on Linux may mount a small disk")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_no_record_and_changes_no_figure(reference, out, tmp_path, name):
    suite, expected = reference
    run, fault, log = out / "tiny", FAULTS[name], tmp_path / "log"
    process = start("run", suite, "--out", str(out), "--checkpoint-every", "0.5", log=log)
    driver = psutil.Process(process.pid)
    heal = None
    try:
        wait_for(lambda: len(records(run)) >= 2 and workers(driver), process)
        heal = fault.strike(driver, run)
        kept = {path.name: path.read_bytes() for path in records(run)}
        struck = time.monotonic()
        assert process.wait(timeout=150) == fault.code, log.read_text()
        assert fault.says in log.read_text()
        assert "Traceback" not in log.read_text()
        if fault.says.endswith("died"):
            assert time.monotonic() - struck < NOTICED
    finally:
        if heal:
            heal()
        process.kill()
    again = cli("run", suite, "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    left = int(again.stdout.split()[1]) if "at a time" in again.stdout else 0
    assert left <= len(records(expected)) - len(kept), "nothing finished was run again"
    assert {path.name: path.read_bytes() for path in records(run) if path.name in kept} == kept
    assert set(Store(run).frame()["status"]) == {"ok"}
    same(run, expected)
    there = Path(os.environ["TMPDIR"])
    assert not list(there.glob("lt-bench-*")), "what the first run left was swept by the second"
    assert len(list(there.glob("lt-ray/session_2*"))) == 1


def test_a_worker_that_ray_ends_for_want_of_memory_costs_its_trial_alone(reference, out, tmp_path, monkeypatch):
    suite, expected = reference
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.01")  # every machine uses more than this
    done = cli("run", suite, "--out", str(out), "--limit", "2")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert set(Store(out / "tiny").frame()["status"]) <= {"oom", "lost"}  # depending on whether it was training then
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    assert cli("run", suite, "--out", str(out), "--retry-failed").returncode == 0
    same(out / "tiny", expected)
