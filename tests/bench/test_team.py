"""Trials that several processes train together, on the command line."""

from __future__ import annotations

import os
import signal
import time

import pandas as pd
import pytest
import yaml

from bench import Execution
from bench.running.backends.ray_tune import RayTune
from lt_core.errors import UserError
from tests.bench.harness import cli, records, same, start, wait_for

TOGETHER = ["--cpus-per-trial", "2", "--processes-per-trial", "2"]


@pytest.fixture
def suite(tmp_path):
    def write(**changes):
        values = {
            "about": "two processes a trial", "recipe": {"base": "digits", "epochs": 8}, "seeds": 1,
            "data": {"dataset": "digits", "imbalance_factor": 10, "n_max": 60, "validation": 5}, "methods": ["softmax", "crt"],
        }  # fmt: skip
        file = tmp_path / "pair.yaml"
        file.write_text(yaml.safe_dump({**values, **changes}))
        return str(file)

    return write


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_to_the_figures_of_the_bare_loop(suite, tmp_path):
    file = suite()
    alone = cli("run", file, "--out", str(tmp_path / "inline"), "--backend", "inline", *TOGETHER)
    assert alone.returncode == 0, alone.stderr
    run = tmp_path / "ray" / "pair"
    process = start("run", file, "--out", str(tmp_path / "ray"), "--checkpoint-every", "0", *TOGETHER, log=tmp_path / "log")
    wait_for(lambda: len(records(run)) >= 1, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)
    again = cli("run", file, "--out", str(tmp_path / "ray"), *TOGETHER)
    assert again.returncode == 0, again.stderr + again.stdout
    same(run, tmp_path / "inline" / "pair")
    rows = pd.read_parquet(run / "trials.parquet")
    assert len(rows) == 2 and set(rows.status) == {"ok"}
    assert all('"ranks":2' in facts.replace(" ", "") for facts in rows.environment)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--processes-per-trial", "2"], "bbn cannot be trained by several processes together, because its step, bbn, accesses"),
        (["--gpus-per-trial", "2.5"], "--gpus-per-trial 2.5 does not fit 2 processes, each of which needs a whole GPU"),
        (["--gpus-per-trial", "4", "--processes-per-trial", "3"], "--gpus-per-trial 4 does not fit 3 processes"),
        (["--processes-per-trial", "0"], "should be greater than or equal to 1"),
        (["--gpus-per-trial", "1", "--processes-per-trial", "2"], "--gpus-per-trial 1 does not fit 2 processes"),
        (["--gpus-per-trial", "99"], "--gpus-per-trial 99 needs more GPUs than this machine has"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(suite, tmp_path, options, says):
    done = cli("run", suite(methods=["softmax", "bbn"]), "--out", str(tmp_path), "--backend", "inline", *options)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert not records(tmp_path / "pair")


@pytest.mark.parametrize(
    ("options", "gpus_of_nodes", "trials", "each"),
    [
        ({"processes_per_trial": 2}, (4, 3), 3, 2),  # each process takes a whole GPU
        ({"processes_per_trial": 2}, (0, 0), 8, 0),
        ({"processes_per_trial": 2, "device": "cpu"}, (4, 3), 8, 0),
        ({"gpus_per_trial": 3}, (4, 3), 2, 3),
        ({}, (4, 3), 7, 1),
        ({"device": "cpu"}, (4, 3), 16, 0),
        ({"gpus_per_trial": 0.5}, (4, 3), 14, 0.5),
    ],
)
def test_ray_is_asked_for_a_gpu_for_each_process(monkeypatch, options, gpus_of_nodes, trials, each):
    nodes = [{"Alive": True, "Resources": {"CPU": 8, "GPU": gpus}} for gpus in gpus_of_nodes]
    monkeypatch.setattr(RayTune, "_connect", lambda self: None)
    monkeypatch.setattr("ray.nodes", lambda: nodes)
    scheduler = Execution(**options).scheduler()
    assert scheduler.workers() == trials
    assert scheduler._gpus([node["Resources"] for node in nodes]) == each


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UserError, match=r"--processes-per-trial 2 needs one GPU per process, but this machine has 1: lower it"):
        Execution(backend="inline", processes_per_trial=2).runtime()
    assert Execution(backend="inline", processes_per_trial=2, device="cpu").runtime().ranks == 2
    monkeypatch.setattr(RayTune, "_connect", lambda self: None)
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": True, "Resources": {"CPU": 8, "GPU": 1}}])
    with pytest.raises(UserError, match=r"2 CPUs and 2 GPUs, but .* or --processes-per-trial, each of which takes a whole GPU"):
        Execution(processes_per_trial=2).scheduler().workers()
