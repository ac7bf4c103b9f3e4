"""One trial that several processes train together."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from lt_core.data.trial_images import draw_images
from lt_core.testing.trials import VALIDATED, figures_of, tiny_spec
from lt_core.training import Runtime, run_trial, team, trial_steps
from lt_core.training.loop import Training
from lt_core.training.team import current, joined

CPU = torch.device("cpu")
TWO = {"device": "cpu", "ranks": 2}


def of_two(spec, **more):
    return run_trial(spec, Runtime(**TWO, **more))


@pytest.mark.parametrize("method", ["softmax", "ldam_drw", "crt", "range_loss", "mixup"])
def test_two_processes_train_as_one_does_at_the_same_batch(method):
    """Without batch norm they agree up to the order of sums, although the last batch of an epoch is smaller and odd."""
    spec = tiny_spec(
        method, data={**VALIDATED, "n_max": 61}, model="mlp", epochs=6, batch_size=33, precision="float32", eval_every=1
    )
    one, two = run_trial(spec, Runtime(device="cpu")), of_two(spec)
    assert (one.status, two.status) == ("ok", "ok"), two.traceback
    assert [row["train_loss"] for row in two.curve] == pytest.approx([row["train_loss"] for row in one.curve], rel=1e-4)
    assert two.metrics()["balanced_accuracy"] == pytest.approx(one.metrics()["balanced_accuracy"], abs=0.01)
    assert (one.environment.get("ranks"), two.environment["ranks"]) == (None, 2)


CROPPED = {"pad": 0, "crop": 6, "crop_area": (0.5, 1.0), "flip": True, "jitter": (0.4, 0.4, 0.4), "policy": "trivialaugment"}


@pytest.mark.parametrize("method", ["over_sampling", "ldam_drw"])
def test_two_processes_see_the_crops_of_one_in_parts_of_a_batch_too(method):
    spec = tiny_spec(
        method, data=VALIDATED, model="mlp", epochs=6, batch_size=32, micro_batch=12, precision="float32", eval_every=1, **CROPPED
    )
    one, two = run_trial(spec, Runtime(device="cpu")), of_two(spec)
    assert (one.status, two.status) == ("ok", "ok"), two.traceback
    assert [row["train_loss"] for row in two.curve] == pytest.approx([row["train_loss"] for row in one.curve], rel=1e-4)


def test_a_team_gives_the_same_figures_twice_and_after_a_stop(tmp_path):
    spec = tiny_spec("ldam_drw", epochs=5, batch_size=32, ema=0.9)
    whole = of_two(spec)
    assert whole.status == "ok", whole.traceback
    assert figures_of(of_two(spec)) == figures_of(whole)
    runtime = Runtime(**TWO, checkpoint=str(tmp_path / "c.pt"), checkpoint_every=0)
    steps = trial_steps(spec, runtime)
    next(steps), next(steps)
    steps.close()
    *progress, resumed = trial_steps(spec, runtime)
    assert [p.epoch for p in progress] == [3, 4, 5]
    assert figures_of(resumed) == figures_of(whole)


def test_a_stage_that_trials_share_is_trained_once(tmp_path):
    crt = tiny_spec("crt", epochs=4, batch_size=32)
    first, again = (of_two(crt, stages=str(tmp_path)) for _ in range(2))
    assert (first.status, again.status) == ("ok", "ok"), again.traceback
    assert figures_of(first) == figures_of(again)
    assert len(list(tmp_path.glob("*.pt"))) == 1


def children():
    """The child processes of this process that are part of a team."""
    return [child for child in psutil.Process().children() if "lt_core.training.rank" in child.cmdline()]


def test_a_process_that_dies_fails_the_trial_as_one():
    steps = trial_steps(tiny_spec(epochs=300, batch_size=16), Runtime(**TWO))
    next(steps)
    (other,) = children()
    other.kill()
    *_, result = steps
    assert result.status == "failed"
    assert result.cause == "process 1 of the 2 that trained the trial together died (exit code -9)"
    assert not children()


def test_a_trial_that_is_stopped_leaves_no_process_behind():
    steps = trial_steps(tiny_spec(epochs=300, batch_size=16), Runtime(**TWO))
    next(steps)
    assert len(children()) == 1
    steps.close()
    assert not children()
    assert current() is None and not dist.is_initialized()


def test_processes_end_with_the_one_that_started_them(tmp_path):
    """They end even if it is killed and cannot notify them."""
    text = (
        "from lt_core.testing.trials import tiny_spec\n"
        "from lt_core.training import Runtime, trial_steps\n"
        "steps = trial_steps(tiny_spec(epochs=3000, batch_size=16), Runtime(device='cpu', ranks=2))\n"
        "next(steps)\nprint('under way', flush=True)\n"
        "for _ in steps: pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout and leader.stdout.readline() == "under way\n"
        others = psutil.Process(leader.pid).children()
        assert others
        leader.kill()
    gone, alive = psutil.wait_procs(others, timeout=20)
    assert gone and not alive


@pytest.mark.parametrize("method", ["manifold_mixup", "l2rw", "bbn", "fixmatch"])
def test_a_step_that_looks_into_the_network_is_refused(method):
    semi = {"data": {**VALIDATED, "label_fraction": 0.5}, "ema": 0.9} if method == "fixmatch" else {}
    result = of_two(tiny_spec(method, **semi))
    assert result.status == "failed"
    assert "cannot be trained by several processes together" in result.cause


def test_a_refusal_is_told_in_its_own_words():
    result = of_two(tiny_spec("tau_norm"))
    assert "chooses τ on a validation split" in result.cause


def _work(rank, store, told):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    images, weight = torch.randn(7, 3), torch.randn(7, 2)

    def whole(images, labels):
        features = net[0](images)
        return net[1](features), features

    def gradients():
        made = [p.grad.clone() for p in net.parameters()]
        net.zero_grad()
        return made

    outputs, features = whole(images, None)
    (outputs * weight).sum().square().add(features.amax()).backward()
    wanted = gradients()
    with joined(rank, 3, store, torch.device("cpu")) as team:
        for count in (7, 5):  # five are fewer than two per process, so every process computes all
            outputs, features = team.divided(whole, images[:count], None)
            (outputs * weight[:count]).sum().square().add(features.amax()).backward()
            team.sum_gradients(net)
            found = gradients()
            if count == 7:
                close = all(torch.allclose(a, b, atol=1e-5) for a, b in zip(wanted, found, strict=True))
            else:
                few, few_features = whole(images[:5], None)
                (few * weight[:5]).sum().square().add(few_features.amax()).backward()
                close = close and all(torch.allclose(a, b, atol=1e-5) for a, b in zip(gradients(), found, strict=True))
        norm = nn.BatchNorm1d(2)
        norm.running_mean += rank
        team.average_buffers([norm])
        told.put((rank, close, norm.running_mean.tolist(), team.agree(f"of {rank}")))


def test_gradients_of_any_loss_of_the_whole_batch_are_those_of_one_process(tmp_path):
    """The losses are a square of a sum and a largest feature, which no mean over parts of the batch could give."""
    context = mp.get_context("spawn")
    told = context.Queue()
    workers = [context.Process(target=_work, args=(rank, str(tmp_path / "store"), told)) for rank in range(3)]
    for worker in workers:
        worker.start()
    found = sorted(told.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert found == [(rank, True, [1.0, 1.0], "of 0") for rank in range(3)]


def test_batch_norm_of_whole_batches_is_for_gpus_and_is_batch_norm_itself_in_one_process():
    spec = tiny_spec(epochs=2, batch_norm="batch")
    refused = of_two(spec)
    assert refused.status == "failed"
    assert refused.cause.endswith("batch_norm=batch works on GPUs only: use batch_norm=share, or one process for each trial")
    assert figures_of(run_trial(spec, Runtime(device="cpu"))) == figures_of(run_trial(tiny_spec(epochs=2), Runtime(device="cpu")))
    assert spec.trial_id != tiny_spec(epochs=2).trial_id


def test_a_team_on_gpus_synchronises_every_batch_norm_and_trains_the_same_parameters(monkeypatch):
    """As far as a CPU can show: it can build such a network, but not pass anything through it."""
    monkeypatch.setattr(team, "_team", team.Team(0, 2))
    specs = tiny_spec(batch_norm="batch"), tiny_spec()
    split = draw_images(specs[0].data, CPU).split
    training, plain = (Training(spec, split, CPU) for spec in specs)
    norms = [module for module in training.model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(module, nn.SyncBatchNorm) for module in norms)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in plain.model.modules())
    stepped = {id(p) for group in training.optimizer.param_groups for p in group["params"]}
    assert stepped == {id(p) for p in training.model.parameters()}
    for (name, one), (other, two) in zip(training.model.state_dict().items(), plain.model.state_dict().items(), strict=True):
        assert name == other and torch.equal(one, two)
