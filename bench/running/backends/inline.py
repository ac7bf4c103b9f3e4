"""The backend that runs trials one after another in this process, for debugging, tests, and machines without Ray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.running.backends.base import Interrupted, Job, JobSource, Listener
from lt_core.errors import UserError
from lt_core.result import OK, PRUNED, TrialResult
from lt_core.training import Progress, trial_steps
from lt_core.training.runtime import gpu_is_lost


@dataclass(frozen=True)
class Inline:
    """The backend without Ray."""

    def workers(self) -> int:
        return 1

    def run(self, jobs: Sequence[Job] | JobSource, listener: Listener) -> None:
        try:
            for job in jobs if isinstance(jobs, Sequence) else _asked(jobs):
                for step in trial_steps(job.spec, job.runtime):
                    if not isinstance(step, Progress):
                        listener.result(step)
                        if step.status != OK and gpu_is_lost():
                            raise UserError(
                                f"this process lost its GPU when trial {step.trial_id} failed ({step.cause}): run the same "
                                "command again to continue with the other trials"
                            )
                        continue
                    reason = listener.progress(job.spec, step)
                    listener.tick()
                    if reason:
                        listener.result(TrialResult(job.spec, PRUNED, reason))
                        break
        except KeyboardInterrupt:
            raise Interrupted from None


def _asked(source: JobSource) -> Iterator[Job]:
    while (job := source.ask()) is not None:  # every earlier job has ended, so there is nothing to wait for
        yield job
