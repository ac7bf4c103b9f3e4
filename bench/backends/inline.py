"""Trials one after another in this process: for debugging, tests, and machines without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.backends.base import Interrupted, Job, Listener
from lt_core.training.trial import Progress, trial_steps


@dataclass(frozen=True)
class Inline:
    """The backend without Ray."""

    def workers(self) -> int:
        return 1

    def run(self, jobs: Sequence[Job], listener: Listener) -> None:
        try:
            for job in jobs:
                for step in trial_steps(job.spec, job.runtime):
                    if isinstance(step, Progress):
                        listener.progress(job.spec, step)
                        listener.tick()
                    else:
                        listener.result(step)
        except KeyboardInterrupt:
            raise Interrupted from None
