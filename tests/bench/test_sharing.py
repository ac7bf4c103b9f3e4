"""`--gpus-per-trial auto`: what is measured, what follows from it, and how a run uses it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from bench.cli.app import app
from bench.running import sharing
from bench.running.backends.ray_tune import RayTune
from bench.running.execution import Execution
from bench.running.sharing import Sharing, measured, settled
from bench.suites.suite import parse_suite
from lt_core.errors import UserError
from tests.bench.harness import ROOT, TINY

AUTO = Execution(gpus_per_trial="auto")


@pytest.mark.parametrize(
    ("rates", "trials"),
    [
        ({1: 32_662, 2: 31_000}, 1),  # an H100 on which processes take turns
        ({1: 32_662, 2: 46_114, 4: 58_373, 8: 63_316}, 8),  # the same with MPS
        ({1: 100, 2: 200, 4: 208}, 2),  # 4 % more speed is not worth twice the memory
        ({1: 100}, 1),
    ],
)
def test_as_many_trials_share_a_gpu_as_train_clearly_more_images(rates, trials):
    found = Sharing(rates, "resnet32", 40)
    assert (found.trials, found.gpus) == (trials, 1 / trials)


def suite(**more):
    return parse_suite("tiny", {**TINY, **more})


def test_processes_are_measured_side_by_side():
    """This runs on the CPU, where two trainings at once are at most as fast as each of them alone."""
    (spec,) = suite(methods=["softmax"], seeds=1, data={**TINY["data"], "imbalance_factor": 10}).specs
    found = measured(spec, numbers=(1, 2), seconds=0.2)
    assert set(found.rates) == {1, 2} and min(found.rates.values()) > 0
    assert str(found).startswith(("each trial gets a whole GPU", "2 trials share a GPU")) and spec.recipe.model in str(found)


class Process:
    """A process with made-up speed and memory. From the fourth on, there is no memory left."""

    begun = 0

    def __init__(self, spec):
        Process.begun += 1
        self.memory = 0.2
        self.fails = Process.begun > 3

    def get_ready(self):
        if self.fails:
            raise sharing._Failed("a process ended with code 1")

    def train(self, seconds):
        """Train at 100 images per second."""

    def rate(self):
        return 100.0

    def end(self):
        Process.begun -= 1


def test_more_are_tried_until_memory_is_full_or_one_fails(monkeypatch):
    monkeypatch.setattr(sharing, "_Process", Process)
    (spec, *_) = suite().specs
    assert measured(spec, (1, 2, 4, 8)).rates == {1: 100, 2: 200}
    assert measured(spec, (1, 2, 3, 5)).rates == {1: 100, 2: 200, 3: 300}, "five would take all of the memory"
    assert Process.begun == 0, "all are ended"
    monkeypatch.setattr(Process, "rate", lambda self: 100.0 / Process.begun)
    assert set(measured(spec, (1, 2, 3)).rates) == {1, 2}, "two were no faster: three are not tried"


def test_a_network_that_cannot_be_trained_is_told(monkeypatch):
    monkeypatch.setattr(sharing, "_Process", Process)
    monkeypatch.setattr(Process, "begun", 3)
    with pytest.raises(
        UserError, match=r"cannot be trained on one GPU even when it has the GPU to itself \(a process ended with code 1\): give"
    ):
        measured(suite().specs[0], (1, 2))


def test_a_process_that_dies_says_why():
    (spec, *_) = suite(recipe={"base": "digits", "batch_size": 10**9}).specs  # noise for so many images does not fit into memory
    with pytest.raises(UserError, match=r"ended with code \d+: \S*Error: .*\): give a number"):
        measured(spec, (1,), seconds=0.1)


class Machines(RayTune):
    """A Ray with made-up GPUs."""

    there, asked = 0.0, None

    def gpus_there(self):
        return Machines.there

    def on_a_gpu(self, work, *given):
        Machines.asked = work, given
        return Sharing({1: 10.0, 2: 20.0, 4: 40.0}, "resnet32", 30) if Machines.there else None


@pytest.mark.parametrize(("gpus", "trials", "each"), [(0, 9, None), (1, 9, 0.25), (4, 3, None), (2, 1, None)])
def test_trials_share_gpus_where_there_are_fewer_than_trials(monkeypatch, gpus, trials, each):
    monkeypatch.setattr(Machines, "there", gpus)
    monkeypatch.setattr(Execution, "scheduler", lambda self: Machines())
    said = []
    assert settled(AUTO, suite().specs, trials, said.append).gpus_per_trial == each
    assert len(said) == (each is not None)


def test_the_trial_that_computes_most_is_measured(monkeypatch):
    monkeypatch.setattr(Machines, "there", 1.0)
    monkeypatch.setattr(Execution, "scheduler", lambda self: Machines())
    small, large = (suite(recipe={"base": "digits", "model": model}).specs[0] for model in ("mlp", "small_cnn"))
    settled(AUTO, [small, large, small], 3, lambda words: None)
    assert Machines.asked == (measured, (large,))


def test_a_plan_measures_where_there_is_a_gpu(monkeypatch, capsys, tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    command = ["plan", str(file), "--out", str(tmp_path), "--measure-gpu"]
    with pytest.raises(UserError, match="needs a GPU that torch can use, but this machine has none"):
        app(command, standalone_mode=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr(sharing, "measured", lambda spec: Sharing({1: 10.0, 2: 20.0}, spec.recipe.model, 30))
    app(command, standalone_mode=False)
    assert "--gpus-per-trial auto: 2 trials share a GPU: small_cnn trains 10 with 1, 20 with 2" in capsys.readouterr().out


PRETENDED = """
import sys
from pathlib import Path

import ray

import bench

ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
store = bench.run(sys.argv[1], out=Path(sys.argv[1]).parent, gpus_per_trial="auto")
print(store.statuses())
"""


@pytest.mark.slow
def test_a_run_on_ray_measures_where_the_gpu_is(tmp_path):
    """A real Ray is told that it has a GPU, so that the measurement and the trials actually run on the CPU."""
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**TINY, "methods": ["softmax"], "seeds": 2}))
    done = subprocess.run([sys.executable, "-c", PRETENDED, str(file)], capture_output=True, text=True, cwd=ROOT, timeout=250)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^tiny: (each trial gets a whole GPU|\d trials share a GPU): \S+ trains ", done.stdout, re.M), done.stdout
    at_once = re.search(r"^tiny: (\d) trials share", done.stdout, re.M)
    assert f"4 trials to run, {min(2, int(at_once[1])) if at_once else 1} at a time" in done.stdout
    assert done.stdout.count("'ok'") == 4


def test_a_number_is_left_as_it_is():
    for given in (Execution(gpus_per_trial="0.5"), Execution(gpus_per_trial=2), Execution()):
        assert settled(given, (), 9) is given
    assert Execution(gpus_per_trial="0.5").gpus == 0.5
    assert settled(Execution(gpus_per_trial="auto", device="cpu"), (), 9).gpus == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gpus_per_trial": "many"}, "--gpus-per-trial must be a number of GPUs, such as 0.25, or auto; got 'many'"),
        ({"gpus_per_trial": "-1"}, "gpus_per_trial must be 0 or more"),
        ({"gpus_per_trial": "auto", "backend": "inline"}, "--backend inline runs one trial at a time: omit it"),
        ({"gpus_per_trial": "auto", "processes_per_trial": 2}, "each process of a trial needs a whole GPU: omit it"),
    ],
)
def test_what_cannot_be_is_a_sentence(fields, words):
    with pytest.raises(UserError, match=words):
        Execution(**fields)
