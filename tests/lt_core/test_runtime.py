from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from lt_core.training.runtime import Runtime, _cpu_prefers_bfloat16, describe, gpu_is_lost, kind_of_device

FLAGS = """
import json, os, torch
from lt_core.training.runtime import Runtime
torch.cuda.is_available = lambda: True
torch.backends.cudnn.benchmark = True
told = []
for device in {devices}:
    Runtime(device=device).prepare()
    told.append([
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32,
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory, os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    ])
assert not torch.cuda.is_initialized()
print(json.dumps(told))
"""


def flags(*devices, **environment):
    """The settings that `prepare` leaves in a process of its own after each device in turn."""
    code = FLAGS.format(devices=list(devices))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_card_computes_with_kernels_that_repeat_themselves_and_a_cpu_as_it_did():
    """The order of devices in a process must not matter, because a worker runs one trial after another."""
    card = [False, True, False, True, True, False, ":4096:8"]
    for devices in (("cuda", "cpu"), ("cpu", "auto")):
        found = dict(zip(devices, flags(*devices), strict=True))
        assert found.get("cuda", found.get("auto")) == card
        assert found["cpu"][3] is False, "a CPU repeats itself without, and its kernels must be those of the committed rows"


def test_a_workspace_that_the_user_has_set_is_kept():
    assert flags("cuda", CUBLAS_WORKSPACE_CONFIG=":16:8")[0][-1] == ":16:8"


def test_the_kind_of_device_is_its_type_and_the_precision_that_auto_became(monkeypatch):
    from lt_core.training import runtime

    monkeypatch.setattr(runtime, "prefers_bfloat16", lambda kind: kind == "cuda")
    kinds = [kind_of_device(p, torch.device(d)) for p in ("auto", "bfloat16", "float32") for d in ("cpu", "cuda:1")]
    assert kinds == ["cpu-float32", "cuda-bfloat16", "cpu-bfloat16", "cuda-bfloat16", "cpu-float32", "cuda-float32"]


def test_preparing_for_a_cpu_changes_no_figure(make_spec, figures):
    from lt_core.training import run_trial

    spec = make_spec("over_sampling")
    before = figures(run_trial(spec))
    torch.use_deterministic_algorithms(True, warn_only=True)  # as after a trial on a card
    assert figures(run_trial(spec, Runtime(device="cpu"))) == before
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("GenuineIntel", {"avx512f", "avx512_bf16", "amx_bf16", "amx_tile"}, True),
        ("GenuineIntel", {"avx512f", "avx512_bf16"}, False),  # 309 images/s in bfloat16 against 418 in float32
        ("AuthenticAMD", {"avx512f", "avx512_bf16"}, True),
        ("AuthenticAMD", {"avx2"}, False),
        ("", {"bf16"}, False),  # ARM, which has not been measured
        ("", set(), False),
    ],
)
def test_auto_is_bfloat16_with_amx_or_on_amd_with_avx512_bf16_alone(vendor, flags, expected):
    assert _cpu_prefers_bfloat16(vendor, frozenset(flags)) is expected


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (None, False),
        (RuntimeError("CUDA error: out of memory"), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), True),
    ],
)
def test_a_gpu_is_lost_to_a_process_when_it_answers_nothing_but_an_error(monkeypatch, error, lost):
    def synchronize():
        if error:
            raise error

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert not gpu_is_lost(), "what was never used cannot be lost, and is not used by asking"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert gpu_is_lost() is lost


def test_a_row_says_how_much_of_a_gpu_its_trial_had(monkeypatch):
    from lt_core.training import runtime

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(runtime, "device_name", lambda kind: kind)
    asked = {"quarter": (0.25, 1), "whole": (1, 1), "unsaid": (None, 1), "team": (None, 2)}
    said = {
        name: describe(Runtime(device="cuda", ranks=ranks).given(gpus), None).get("gpus") for name, (gpus, ranks) in asked.items()
    }
    assert said == {"quarter": 0.25, "whole": None, "unsaid": None, "team": 2}
    assert "gpus" not in describe(Runtime(device="cpu").given(0.25), None)


def test_a_process_without_a_gpu_computes_for_trials_that_have_one_on_its_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Runtime(device="cuda").here() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Runtime(device="cuda").here() == torch.device("cuda")
