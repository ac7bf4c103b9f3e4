"""What trains trials, looked for when there is one to be trained: it may start Ray, and measure a GPU."""

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
    """The two sides of ``--backend`` and its options. ``gpus``: of a trial, 0 where it has none or nothing is said of them."""

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
    """GPUs that a trial takes at least, before any are looked for; 0 where nothing is said of them."""
    return 1 / max(NUMBERS) if execution.gpus_per_trial == AUTO else execution.gpus or 0.0
