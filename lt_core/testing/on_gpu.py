"""What must hold for everything that is trained on a GPU, checked on an emulated one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from torch import Tensor

from lt_core.parts import promises
from lt_core.result import OK, TrialResult
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep
from lt_core.testing.check import TRAINING, blamed, check, expect
from lt_core.testing.emulated import EmulatedGPU, emulated_gpu
from lt_core.testing.trials import figures_of, finished, fitting_spec
from lt_core.training import loop, run_trial
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

_DATA = {"imbalance_factor": 10, "n_max": 30, "validation": 1}


Cost = tuple[str, str, str]  # wait or upload, the line that caused it, the operation


@dataclass
class Steps:
    """What the steps of a trial cost on the emulated GPU."""

    number: int = 0
    costs: Counter[Cost] = field(default_factory=Counter)
    broken: Counter[Cost] = field(default_factory=Counter)  # costs of steps that promise to have none

    def each(self, kind: str) -> float:
        """Waits or uploads per step."""
        return sum(times for (one, _, _), times in self.costs.items() if one == kind) / max(1, self.number)


@contextmanager
def _counted(gpu: EmulatedGPU) -> Iterator[Steps]:
    """Count what steps cost, but nothing that happens between them."""
    steps, take, gpu.counting = Steps(costs=gpu.costs), Training._take, False

    def counted(training: Training, step: BoundStep, positions: Tensor) -> None:
        steps.number += 1
        before, gpu.counting = gpu.costs.copy(), True
        try:
            take(training, step, positions)
        finally:
            gpu.counting = False
        if training.captured and promises(step):
            steps.broken += gpu.costs - before

    with patch.object(Training, "_take", counted):
        yield steps


def on_emulated_gpu(spec: TrialSpec) -> tuple[TrialResult, Steps]:
    """The result of a trial on the emulated GPU, and what its steps cost."""
    with emulated_gpu() as gpu, _counted(gpu) as steps, patch.object(loop, "recorder_for", lambda *where: None):
        return run_trial(spec, Runtime(device="cuda")), steps


def emulation_spec(label: str) -> TrialSpec:
    """A trial of two epochs, short enough for a slow device."""
    return fitting_spec(label, data=_DATA, epochs=2)


@check(TRAINING)
def it_runs_on_a_gpu(label: str) -> None:
    """On an emulated GPU it has the same figures as on a CPU, and steps that may be recorded neither wait nor upload."""
    spec = emulation_spec(label)
    result, steps = on_emulated_gpu(spec)
    lacks = "; the emulated GPU lacks what it calls (write torch.Generator, not Generator)" if "driver" in result.cause else ""
    expect(result.status == OK, f"on a GPU it ends as {result.status}: {result.cause}{blamed(result.traceback)}{lacks}")
    expect(figures_of(result) == figures_of(finished(spec)), "on a GPU it has different figures, with the same arithmetic")
    expect(
        not steps.broken,
        f"its steps may be recorded (captured), but wait for the GPU or upload to it: {told(steps.broken)}; "
        "set captured = False on the part that does",
    )


def told(costs: Counter[Cost]) -> str:
    """The costs in words, the most frequent first."""
    return ", ".join(f"{times} × {kind} by {operation} at {line}" for (kind, line, operation), times in costs.most_common(5))
