"""The machines that train trials. Finding them may start Ray and measure a GPU, so it waits until there is a trial to train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.running.execution import AUTO, Execution
from bench.running.sharing import NUMBERS, settled

if TYPE_CHECKING:
    from bench.running.backends.base import Backend
    from lt_core.spec import TrialSpec
    from lt_core.training.runtime import Runtime


@dataclass(frozen=True)
class Machines:
    """The backend, and the runtime of each trial. ``gpus`` is the number of GPUs per trial, or 0 for none or if not given."""

    backend: Backend
    runtime: Runtime
    gpus: float = 0.0


def found(execution: Execution, specs: Sequence[TrialSpec], trials: float, say: Callable[[str], None] = print) -> Machines:
    """The machines of ``execution``, on which ``trials`` trials of the kinds ``specs`` are to be trained now.

    Raises:
        UserError: as `Execution.runtime` and `bench.running.sharing.settled`.
    """
    execution = settled(execution, specs, trials, say)
    return Machines(execution.scheduler(), execution.beside_others(execution.runtime()), execution.gpus or 0.0)


def least_gpus(execution: Execution) -> float:
    """The least number of GPUs that a trial can take, which is known before any are looked for; 0 if none was given."""
    return 1 / max(NUMBERS) if execution.gpus_per_trial == AUTO else execution.gpus or 0.0
