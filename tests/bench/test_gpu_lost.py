"""Trials on GPUs, seen from a driver: what is rejected, and how a run continues after a process has lost its GPU."""

from __future__ import annotations

import pytest
import torch

from bench.running.backends import Job, inline, ray_start
from bench.running.backends.inline import Inline
from bench.running.backends.ray_trial import packed, trainable
from bench.running.backends.ray_tune import RayTune
from bench.running.execution import Execution
from lt_core.errors import UserError
from lt_core.result import FAILED, TrialResult
from lt_core.testing.trials import tiny_spec
from lt_core.training import runtime
from lt_core.training.runtime import Runtime


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_the_gpus_of_a_cluster_are_not_those_of_its_driver(no_gpu):
    assert Execution(device="cuda", address="head:6379").runtime().device == "cuda"
    with pytest.raises(UserError, match="device cuda is not available"):
        Execution(device="cuda").runtime()


def test_a_cluster_without_a_gpu_refuses_trials_that_must_have_one(monkeypatch):
    import ray

    monkeypatch.setattr(RayTune, "_connect", lambda self: None)
    resources = {"CPU": 4.0}
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": resources}])
    asked = Execution(device="cuda", address="head:6379").scheduler()
    with pytest.raises(UserError, match="no machine of this Ray cluster has one: use --device cpu"):
        asked.workers()
    resources["GPU"] = 2.0
    assert asked.workers() == 2


def test_a_worker_that_lost_its_gpu_leaves_before_the_next_trial(monkeypatch):
    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", leave)
    kind = trainable()
    worker, config = object.__new__(kind), {"job": packed(Job(tiny_spec("softmax"), Runtime(device="cpu")), 0)}
    assert worker.reset_config(config)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: (_ for _ in ()).throw(RuntimeError("device-side assert triggered")))
    assert runtime.gpu_is_lost()
    with pytest.raises(SystemExit):
        worker.reset_config(config)


@pytest.mark.parametrize("lost", [True, False])
def test_the_bare_loop_ends_where_all_further_trials_would_fail(monkeypatch, lost):
    jobs = [Job(tiny_spec(label), Runtime(device="cpu")) for label in ("softmax", "focal")]
    kept: list[TrialResult] = []

    class Listener:
        wants_progress = False

        def progress(self, spec, progress):
            return ""

        def result(self, result):
            kept.append(result)

        def tick(self):
            pass

    monkeypatch.setattr(inline, "gpu_is_lost", lambda: lost)
    monkeypatch.setattr(inline, "trial_steps", lambda spec, runtime: iter([TrialResult(spec, FAILED, "illegal address")]))
    if lost:
        with pytest.raises(UserError, match=r"when trial [0-9a-f]{16} failed .illegal address.: run the same command again"):
            Inline().run(jobs, Listener())
    else:
        Inline().run(jobs, Listener())
    assert len(kept) == (1 if lost else 2), "what failed is kept, and the others are not failed in its wake"


@pytest.mark.parametrize(("cpus", "gpus", "ready"), [(1, 0, True), (0.5, None, True), (4, 0, False), (1, 0.25, False)])
def test_the_workers_that_wait_import_torch_where_each_will_run_a_trial(monkeypatch, cpus, gpus, ready):
    import os

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("RAY_preload_python_modules", raising=False)
    seen: list[dict[str, str]] = []
    ray_start.with_workers_ready(lambda: seen.append(dict(os.environ)), cpus, gpus)
    assert ("torch" in seen[0].get("RAY_preload_python_modules", "")) is ready
    assert seen[0]["OMP_NUM_THREADS"] == "3", "what the user has set stays"
    assert "RAY_preload_python_modules" not in os.environ
