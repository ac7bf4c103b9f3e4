"""Runs with a real Ray: the figures are the same as without it, and nothing is lost when something dies."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import yaml

import bench
from bench.records.store import Store
from tests.bench.harness import TINY, cli, records, same, start, wait_for, workers

ROOT = Path(__file__).parents[2]
EPOCHS = 12
STOPPED = "Stopped. All finished trials are kept; run the same command again to continue."


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> tuple[str, Path]:
    """A suite, and its run without Ray."""
    folder = tmp_path_factory.mktemp("reference")
    suite = folder / "tiny.yaml"
    suite.write_text(yaml.safe_dump({**TINY, "recipe": {"base": "digits", "epochs": EPOCHS}}))
    bench.run(str(suite), backend="inline", out=folder)
    return str(suite), folder / "tiny"


def test_ray_gives_the_figures_of_the_bare_loop_and_keeps_quiet(reference, tmp_path):
    suite, expected = reference
    done = cli("run", suite, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    same(tmp_path / "tiny", expected)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tiny: 16 trials to run, ")
    assert done.stderr == ""
    assert not re.search(r"\b(ray|raylet|tune|Trainable)\b", done.stdout.split("\ntables")[0])


@pytest.mark.slow
def test_kill_9_of_the_driver_again_and_again_then_the_same_command(reference, tmp_path):
    suite, expected = reference
    run = tmp_path / "tiny"
    chance, kept = random.Random(1), set()
    for target in (0, 3, 8):
        process = start("run", suite, "--out", str(tmp_path), log=tmp_path / "log")
        wait_for(lambda process=process, target=target: len(records(run)) >= target and workers(process), process)
        time.sleep(chance.random())
        assert kept <= {p.name for p in records(run)}
        kept = {p.name for p in records(run)}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    again = cli("run", suite, "--out", str(tmp_path))
    assert again.returncode == 0, again.stderr
    left = int(again.stdout.split()[1]) if "to run" in again.stdout else 0
    assert left <= 16 - len(kept)  # no finished trial was run again
    same(run, expected)


def test_a_worker_that_dies_costs_no_trial(reference, tmp_path):
    suite, expected = reference
    run = tmp_path / "tiny"
    process = start("run", suite, "--out", str(tmp_path), log=tmp_path / "log")
    wait_for(lambda: len(records(run)) >= 2 and workers(process), process)
    random.Random(0).choice(workers(process)).kill()
    assert process.wait(timeout=120) == 0, (tmp_path / "log").read_text()
    same(run, expected)


@pytest.mark.slow
def test_a_trial_whose_worker_dies_every_time_is_lost_and_tried_by_the_next_run(reference, tmp_path, write_suite):
    suite = write_suite(recipe={"base": "digits", "epochs": 3000}, methods=["softmax"], seeds=1)
    run = tmp_path / "tiny"
    process = start("run", suite, "--out", str(tmp_path), "--limit", "1", log=tmp_path / "log")
    end = time.monotonic() + 100
    while process.poll() is None and time.monotonic() < end:
        for worker in workers(process):
            worker.kill()
        time.sleep(0.5)
    assert process.poll() == 4, (tmp_path / "log").read_text()
    (row,) = Store.open(run).frame().itertuples()
    assert row.status == "lost"
    assert "tried 3 times" in row.cause
    assert "lost: softmax, digits IF 10, seed 0" in (tmp_path / "log").read_text()
    planned = cli("plan", suite, "--out", str(tmp_path), "--limit", "1")
    assert "1 failed, 1 left" in planned.stdout


@pytest.mark.slow
def test_a_long_trial_goes_on_from_its_checkpoint_after_kill_9(tmp_path, write_suite):
    data = {**TINY["data"], "imbalance_factor": 10}
    suite = write_suite(recipe={"base": "digits", "epochs": 150}, data=data, methods=["over_sampling"], seeds=1)
    options = ("--checkpoint-every", "0.2")
    run = tmp_path / "tiny"
    process = start("run", suite, "--out", str(tmp_path), *options, log=tmp_path / "log")
    wait_for(lambda: list(run.glob("checkpoints/*.pt")), process)
    time.sleep(0.7)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert records(run) == []
    assert cli("run", suite, "--out", str(tmp_path), *options).returncode == 0
    environment = json.loads(Store.open(run).frame()["environment"].iloc[0])
    assert len(environment["resumed_at"]) == 1
    assert 0 < environment["resumed_at"][0] < 150
    assert not list(run.glob("checkpoints/*.pt"))
    bench.run(suite, backend="inline", out=tmp_path / "straight")
    same(run, tmp_path / "straight" / "tiny")


def test_being_asked_to_stop_keeps_what_is_finished_and_says_how_to_go_on(reference, tmp_path):
    suite, expected = reference
    run = tmp_path / "tiny"
    process = start("run", suite, "--out", str(tmp_path), log=tmp_path / "log")
    wait_for(lambda: len(records(run)) >= 3, process)
    daemons = " ".join(word for child in psutil.Process(process.pid).children() for word in child.cmdline())
    assert "raylet" in daemons and not re.search(r"dashboard\.py|monitor\.py", daemons), "trials wait for what they do not need"
    for number in [signal.SIGTERM, *[signal.SIGINT] * 4]:
        os.kill(process.pid, number)
        time.sleep(0.1)
    assert process.wait(timeout=60) == 130
    text = (tmp_path / "log").read_text().splitlines()
    assert text[-1] == STOPPED
    assert not {"Traceback", "SIGTERM", "SIGABRT"} & set(" ".join(text).split())
    kept = len(pd.read_parquet(run / "trials.parquet"))
    assert 3 <= kept < 16
    assert kept == len(records(run))
    assert cli("run", suite, "--out", str(tmp_path)).returncode == 0
    same(run, expected)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_being_asked_to_stop_while_ray_starts_is_no_crash(reference, tmp_path, number):
    suite, _ = reference
    process = start("run", suite, "--out", str(tmp_path), log=tmp_path / "log")
    wait_for(lambda: any(child.name() == "raylet" for child in psutil.Process(process.pid).children()), process)
    for _ in range(3):
        os.kill(process.pid, number)
        time.sleep(0.2)
    assert process.wait(timeout=60) == 130
    assert (tmp_path / "log").read_text().splitlines()[1:] in ([], [STOPPED])


@pytest.mark.parametrize(("comes_at_look", "looks"), [(1, 1), (3, 3), (10**6, 5)], ids=["at once", "soon", "never"])
def test_a_starting_ray_is_looked_for_until_its_node_is_there(monkeypatch, comes_at_look, looks):
    import ray._raylet

    from bench.running.backends import ray_daemons

    clock, looked = [0.0], []

    def nodes(timeout):
        looked.append(timeout)
        return [bytes.fromhex(name) for name in (["aa", "bb"] if len(looked) >= comes_at_look else ["aa"])]

    monkeypatch.setattr(ray._raylet, "GcsClient", lambda address: SimpleNamespace(get_all_node_info=nodes))
    monkeypatch.setattr(ray_daemons.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(ray_daemons.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + 1.0))
    ray_daemons._wait_for_node("127.0.0.1:1", "bb", seconds=5.0)
    assert len(looked) == looks


def test_a_real_ray_is_found_by_looking_often():
    """Without this, a Ray that has changed inside would only start more slowly."""
    code = """
from bench.running.backends import ray_daemons
from bench.running.backends.ray_tune import RayTune
wait = ray_daemons._wait_for_node
ray_daemons._wait_for_node = lambda *given: print("found" if wait(*given) is None else "")
RayTune()._connect()
from ray._private.node import Node
print(*(hasattr(Node, name) for name in ("start_monitor", "start_api_server", "start_log_monitor")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines() == ["found", "True True True"], done.stderr


def test_resources_that_can_never_be_had(reference, tmp_path):
    suite, _ = reference
    done = cli("run", suite, "--out", str(tmp_path), "--cpus-per-trial", "4096")
    assert done.returncode == 2
    assert "each trial needs 4096 CPUs and 0 GPUs, but no machine has more than" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_cluster_that_is_not_there(reference, tmp_path):
    suite, _ = reference
    done = cli("run", suite, "--out", str(tmp_path), "--address", "127.0.0.1:1")
    assert done.returncode == 2
    assert "no Ray cluster answers at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_tune_makes_a_large_grid_of_trials_without_copying_it_for_each():
    from ray import tune
    from ray.tune.impl.placeholder import create_resolvers_map, inject_placeholders
    from ray.tune.search.variant_generator import generate_variants

    from bench.running.backends.base import Job
    from bench.running.backends.ray_trial import packed, unpacked
    from bench.suites.suite import load_suite
    from lt_core.spec import TrialSpec
    from lt_core.training.runtime import Runtime

    jobs = [packed(Job(spec, Runtime()), 0) for spec in load_suite("frozen_cifar10").specs]
    space = inject_placeholders({"job": tune.grid_search(list(jobs))}, create_resolvers_map())
    start = time.process_time()
    made = [variant["config"] for _, variant in generate_variants({"config": space})]
    assert [config["job"] for config in made] == jobs
    assert time.process_time() - start < 30  # as nested dictionaries, this took ten minutes
    assert TrialSpec.from_dict(unpacked(made[-1])["trial"]["spec"]) == load_suite("frozen_cifar10").specs[-1]


def test_a_ray_that_a_busy_machine_starts_too_slowly_is_started_again(monkeypatch, tmp_path):
    import ray

    from bench.running.backends.ray_tune import RayTune
    from lt_core.errors import UserError

    tried: list[dict] = []
    slow = Exception("The current node timed out during startup. This could happen because …")

    def init(failures):
        def attempt(**options):
            tried.append(options)
            if len(tried) <= failures:
                raise slow
            return SimpleNamespace(address_info={"session_dir": str(tmp_path)})

        return attempt

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init(2))
    RayTune()._connect()
    assert len(tried) == 3
    monkeypatch.setattr(ray, "init", init(99))
    with pytest.raises(UserError, match="Ray did not start on this machine in 4 attempts"):
        RayTune()._connect()
    slow = Exception("something else")
    with pytest.raises(Exception, match="something else"):
        RayTune()._connect()
