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
    # A pair's test set has 100 images, and six seeds of joint_alt spread by 0.08 (one standard deviation, on a CPU).
    far = 0.3 if pair else 0.1
    assert abs(cuda.metrics()["balanced_accuracy"] - cpu.metrics()["balanced_accuracy"]) < far


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


@pytest.mark.parametrize("method", ["softmax", "ldam_drw", "range_loss", "label_aware_smoothing", "tail_augmentation"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_card_gives_one_id_the_same_figures_twice(make_spec, figures, method, precision):
    """There is another trial in between, because cuDNN's choice of kernels must not depend on what ran before."""
    spec = make_spec(method, precision=precision)
    first = run_trial(spec, Runtime(device="cuda"))
    assert first.status == "ok", first.traceback
    run_trial(make_spec("over_sampling", model="resnet32", epochs=1), Runtime(device="cuda"))
    assert figures(run_trial(spec, Runtime(device="cuda"))) == figures(first)


@pytest.mark.parametrize("method", ["softmax", "ldam_drw", "crt", "tail_augmentation", "large_margin_softmax"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_replayed_steps_give_the_figures_of_each_operation(make_spec, figures, monkeypatch, method, precision):
    spec = make_spec(method, precision=precision, epochs=10, warmup_by="step")
    replayed = run_trial(spec, Runtime(device="cuda"))
    assert replayed.status == "ok", replayed.traceback
    monkeypatch.setattr("lt_core.training.loop.recorder_for", lambda *where: None)
    assert figures(run_trial(spec, Runtime(device="cuda"))) == figures(replayed)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_of_adam_are_recorded_and_continued(make_spec, figures, monkeypatch, tmp_path, precision):
    """Torch refuses to record an Adam that was not told so, and restoring replaces its state."""
    spec = make_spec(precision=precision, epochs=10, warmup_by="step", optimizer="adam", lr=1e-3)
    replayed = run_trial(spec, Runtime(device="cuda"))
    assert replayed.status == "ok", replayed.traceback

    from lt_core.training import trial_steps

    runtime = Runtime(device="cuda", checkpoint=str(tmp_path / "c.pt"), checkpoint_every=0)
    steps = trial_steps(spec, runtime)
    for _ in range(5):
        next(steps)
    steps.close()
    *_, continued = trial_steps(spec, runtime)
    assert figures(continued) == figures(replayed)
    # Without a recorder the rate would be a double, which Adam divides before it rounds.
    monkeypatch.setattr("lt_core.training.replay.EAGER_STEPS", 10**9)
    assert figures(run_trial(spec, Runtime(device="cuda"))) == figures(replayed)


@pytest.mark.parametrize(("one", "other"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_stage_one_or_a_checkpoint_of_the_other_device_is_trained_anew(make_spec, figures, tmp_path, one, other):
    crt, stages = make_spec("crt"), str(tmp_path / "stages")
    assert run_trial(crt, Runtime(device=one, stages=stages)).status == "ok"
    second = run_trial(crt, Runtime(device=other, stages=stages))
    assert second.status == "ok", second.traceback
    assert figures(second) == figures(run_trial(crt, Runtime(device=other)))
    assert len(list((tmp_path / "stages").glob("*.pt"))) == 2

    from lt_core.training import trial_steps

    file = {"checkpoint": str(tmp_path / "c.pt"), "checkpoint_every": 0}
    steps = trial_steps(make_spec(), Runtime(device=one, **file))
    next(steps)
    steps.close()
    with pytest.warns(UserWarning, match=f"was written on {one}-float32 and is ignored on {other}-float32"):
        *progress, result = trial_steps(make_spec(), Runtime(device=other, **file))
    assert (len(progress), result.status) == (3, "ok"), result.traceback


def test_float32_on_a_card_is_float32():
    """TF32 keeps 10 bits of the mantissa, which gives errors of 1e-3 where float32 has 1e-6."""
    Runtime(device="cuda").prepare()
    draw = torch.Generator("cuda").manual_seed(0)
    images, weight = (torch.randn(shape, generator=draw, device="cuda") for shape in ((8, 64, 16, 16), (64, 64, 3, 3)))
    exact = torch.nn.functional.conv2d(images.double(), weight.double(), padding=1)
    found = torch.nn.functional.conv2d(images, weight, padding=1)
    assert ((found - exact).norm() / exact.norm()).item() < 1e-5


def test_a_trial_leaves_cudas_global_generator_alone(make_spec):
    state = torch.cuda.get_rng_state()
    assert run_trial(make_spec(), Runtime(device="cuda")).status == "ok"
    assert torch.equal(state, torch.cuda.get_rng_state())
