"""The threads of a trial on a machine that is busy with other work."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.running import load
from bench.running.execution import Execution
from lt_core.training.runtime import Runtime
from tests.bench.harness import ROOT


@pytest.fixture
def machine(monkeypatch):
    """A function that sets how many CPUs there are, and which share of them others use."""

    def made(cpus, share):
        monkeypatch.setattr(load, "cpus", lambda: cpus)
        monkeypatch.setattr(load, "busy", lambda seconds=1.0: share)

    return made


@pytest.mark.parametrize(
    ("cpus", "share", "threads", "left"),
    [
        (2, 0.0, 2, 2),
        (2, 0.2, 2, 2),
        (2, 0.5, 2, 1),
        (2, 1.0, 2, 1),
        (16, 0.5, 8, 8),
        (16, 0.6, 8, 1),
        (2, None, 2, 2),
        (2, 1.0, 1, 1),
    ],
)
def test_threads_that_have_no_cpu_of_their_own_are_not_used(machine, cpus, share, threads, left):
    machine(cpus, share)
    said: list[str] = []
    assert load.threads_beside_others(threads, said.append) == left
    assert bool(said) is (left < threads)


def test_a_run_says_that_its_trials_compute_with_one_thread(machine, capsys):
    machine(4, 0.75)
    asked, here = Execution(cpus_per_trial=2), Runtime(threads=2)
    assert asked.beside_others(here).threads == 1
    assert "other processes use 75 % of the CPUs: each trial uses one thread instead of 2" in capsys.readouterr().out
    assert Execution(cpus_per_trial=2, address="auto").beside_others(here) == here, (
        "the load of this machine is not the cluster's"
    )


def test_the_share_of_others_is_what_the_kernel_counts(monkeypatch):
    ticks = iter([[100, 0, 50, 800, 50, 0, 0, 0], [160, 0, 70, 810, 60, 0, 0, 0]])
    monkeypatch.setattr(load, "_cpu_time", lambda: next(ticks))
    assert load.busy(0) == pytest.approx(0.8)


def test_figures_of_a_busy_machine_are_not_reported(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from common import refuse_busy

    refuse_busy("before this began", 0.04)
    refuse_busy("before this began", None)
    with pytest.raises(SystemExit, match=r"when it ended other processes used 30 % of the CPUs, so nothing is reported"):
        refuse_busy("when it ended", 0.3)


def test_the_training_benchmark_ends_with_a_code_on_a_busy_machine():
    code = "import sys, common; common.busy = lambda: 0.5; import train_speed; sys.argv = ['train_speed.py']; train_speed.main()"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "before this began other processes used 50 % of the CPUs" in done.stderr


def test_auto_is_held_against_the_best_of_the_four(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from train_speed import NEAR, USUAL, behind

    auto, other = ("bfloat16", "channels last"), ("float32", "channels last")
    best, ratio = behind({auto: [95.0, 94.0, 99.0], other: [100.0, 100.0, 100.0], USUAL: [300.0, 300.0, 300.0]}, auto)
    assert best == other and ratio.values == (0.95, 0.94, 0.99) and not ratio.high < NEAR
    assert behind({auto: [95.0], other: [90.0]}, auto)[1].values == (1.0,)
