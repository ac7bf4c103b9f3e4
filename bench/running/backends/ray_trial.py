"""A trial as Ray Tune carries it: the driver packs it into a config, and a worker on any node runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

from bench.running.backends.base import Job
from lt_core.errors import UserError
from lt_core.result import FAILED, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training.carried import carried, received

if TYPE_CHECKING:
    from lt_core.training import Progress

#: A trial waits at least this long between reports: while the driver handles one, the trial stands still.
_REPORT_SECONDS = 1.0
_WORTH_A_REPORT = 2.0  # a trial that is expected to end within this many seconds reports nothing more before its record


def packed(job: Job, gpus: float, wants_progress: bool = False) -> str:
    """A trial's config as JSON. Tune copies its whole grid for each trial; with 2,400 trials as nested dictionaries, this took
    minutes before the first one started.

    Ray lets a worker without a GPU see all GPUs of the machine (ray-project/ray#54868), so a trial without a GPU must be told to
    use the CPU.
    """
    return json.dumps({"trial": carried(job.spec), "runtime": asdict(job.runtime.given(gpus)), "wants_progress": wants_progress})


def unpacked(config: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `packed`, for a trial's config in Tune."""
    job: dict[str, Any] = json.loads(config["job"])
    return job


def steps(job: dict[str, Any]) -> Iterator[Progress | TrialResult]:
    """The steps of an unpacked trial."""
    from lt_core.training import Runtime, trial_steps

    try:
        spec = received(job["trial"])
    except UserError as error:  # such as a package that this node lacks
        yield TrialResult(TrialSpec.from_dict(job["trial"]["spec"]), FAILED, str(error))
    else:
        yield from trial_steps(spec, Runtime(**job["runtime"]))


def trainable() -> type:
    """The Tune trainable, defined in a function because its base class is Ray's and Ray is imported late."""
    from ray import tune

    from lt_core.training.runtime import gpu_is_lost

    class Trial(tune.Trainable):
        """A trial as Tune sees it. All its state comes from its config, so that a reused actor carries nothing over."""

        def setup(self, config: dict[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            if gpu_is_lost():
                os._exit(1)  # Ray starts the trial in another process; in this one, all trials would fail
            job = unpacked(new_config)
            self.steps, self.wants_progress = steps(job), job["wants_progress"]
            return True

        def step(self) -> dict[str, Any]:
            start = now = monotonic()
            while True:
                before, step, now = now, next(self.steps), monotonic()
                if isinstance(step, TrialResult):
                    return {"done": True, "record": step.to_record()}
                left = (now - before) * (step.epochs - step.epoch)  # if every epoch takes as long as this one
                due = now - start > _REPORT_SECONDS and left > _WORTH_A_REPORT
                if due or (self.wants_progress and step.point):
                    return {"done": False, "epoch": step.epoch, "epochs": step.epochs, "point": step.point}

    return Trial
