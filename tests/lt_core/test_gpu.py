from __future__ import annotations

import pytest
import torch

from lt_core.training import Runtime, run_trial

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("method", ["softmax", "ldam_drw", "over_sampling", "joint_aug", "joint_alt"])
def test_a_trial_on_cuda_is_as_good_as_on_the_cpu(make_spec, method):
    pair = method.startswith("joint")  # a CycleGAN for each smaller class
    spec = make_spec(method, data={"dataset": "digits_9v5" if pair else "digits", "imbalance_factor": 10}, epochs=20)
    cuda, cpu = (run_trial(spec, Runtime(device=device)) for device in ("cuda", "cpu"))
    assert (cuda.status, cuda.environment["device"]) == ("ok", "cuda"), cuda.traceback
    assert abs(cuda.metrics()["balanced_accuracy"] - cpu.metrics()["balanced_accuracy"]) < 0.1


def test_bfloat16_on_cuda(make_spec):
    result = run_trial(make_spec(data={"imbalance_factor": 1}, epochs=15, precision="bfloat16"), Runtime(device="cuda"))
    assert result.status == "ok", result.traceback
    assert result.metrics()["accuracy"] > 0.85


def test_a_resumed_trial_on_cuda_goes_on_where_it_was(make_spec, tmp_path):
    spec, runtime = make_spec("over_sampling"), Runtime(device="cuda", checkpoint=str(tmp_path / "c.pt"), checkpoint_every=0)
    from lt_core.training import trial_steps

    steps = trial_steps(spec, runtime)
    next(steps)
    steps.close()
    *progress, result = trial_steps(spec, runtime)
    assert [p.epoch for p in progress] == [2, 3]
    assert result.status == "ok", result.traceback


def test_a_trial_leaves_cudas_global_generator_alone(make_spec):
    state = torch.cuda.get_rng_state()
    assert run_trial(make_spec(), Runtime(device="cuda")).status == "ok"
    assert torch.equal(state, torch.cuda.get_rng_state())
