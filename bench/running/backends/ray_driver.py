"""What Tune asks of the driver while it schedules: results passed on, trials stopped, further jobs suggested.

These classes are defined in functions, because their base classes are Ray's and Ray is imported late.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from bench.running import stopping
from bench.running.backends.base import JobSource, Listener
from bench.running.backends.ray_trial import packed, unpacked
from bench.running.backends.ray_watch import Watch
from lt_core.errors import UserError
from lt_core.result import LOST, OOM, PRUNED, TrialResult
from lt_core.spec import TrialSpec

RETRIES = 2  # times that a trial is started anew after its worker or node has died


class _Unpickled:
    """An object that stays in the driver. Tune pickles its callbacks, scheduler and searcher in order to resume, which we never
    ask for.
    """

    def __reduce__(self) -> tuple[type, tuple]:
        return object, ()


def hub_for(listener: Listener, watch: Watch) -> Any:
    """The driver's callback in Tune, which passes results to ``listener`` as they come."""
    from ray import tune

    from lt_core.training import Progress

    class Hub(_Unpickled, tune.Callback):
        def __init__(self) -> None:
            self.ended: set[str] = set()
            self.error: UserError | None = None
            self.stopping = False

        def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
            record = result.pop("record", None)  # taken out, so that Tune neither keeps nor writes it
            if record is not None:
                self._end(TrialResult.from_record(record))

        def stops(self, trial: Any, result: dict) -> bool:
            """Report a trial's progress, as flattened by Tune; returns whether to stop the trial."""
            point = {key.removeprefix("point/"): value for key, value in result.items() if key.startswith("point/")}
            reason = listener.progress(_spec(trial), Progress(result["epoch"], result["epochs"], point or None))
            if reason:
                self._end(TrialResult(_spec(trial), PRUNED, reason))
            return bool(reason)

        def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            if _spec(trial).trial_id in self.ended:
                return  # its record is safe, whatever happened to the worker afterwards
            cause = _cause(trial)
            status = OOM if "OutOfMemory" in cause else LOST  # Ray's own word for a worker that it ended for its memory
            self._end(TrialResult(_spec(trial), status, f"{cause} (tried {RETRIES + 1} times)"))

        def on_step_end(self, iteration: int, trials: list, **info: Any) -> None:
            listener.tick()
            self.error = self.error or watch.lost
            if self.error:
                raise self.error
            if stopping.asked() and not self.stopping:
                self.stopping = True
                signal.raise_signal(signal.SIGUSR1)  # which tells Tune to stop all trials in good order

        def _end(self, result: TrialResult) -> None:
            try:
                listener.result(result)
            except UserError as error:
                self.error = error
                raise
            self.ended.add(result.trial_id)

    return Hub()


def scheduler_for(hub: Any) -> Any:
    """First come, first served; a trial that the listener stops is stopped."""
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler

    class Scheduler(_Unpickled, FIFOScheduler):
        def on_trial_result(self, controller: Any, trial: Any, result: dict) -> str:
            return TrialScheduler.STOP if hub.stops(trial, result) else TrialScheduler.CONTINUE

    return Scheduler()


def searcher_for(source: JobSource, gpus: float, wants_progress: bool) -> Any:
    """A source of jobs in the form that Tune asks for trials."""
    from ray.tune.search import Searcher

    class Asking(_Unpickled, Searcher):
        def suggest(self, trial_id: str) -> Any:
            job = source.ask()
            if job is not None:
                return {"job": packed(job, gpus, wants_progress)}
            return Searcher.FINISHED if source.over() else None

        def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
            """Nothing to do: the listener has the result."""

        def save(self, checkpoint_path: str) -> None:
            """Nothing to do: the study has its own journal."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing to do: Tune is never asked to resume."""

    return Asking()


def _spec(trial: Any) -> TrialSpec:
    return TrialSpec.from_dict(unpacked(trial.config)["trial"]["spec"])


def _cause(trial: Any) -> str:
    """Why Tune gave a trial up, in a line."""
    try:
        lines = [line.strip() for line in Path(trial.error_file).read_text().splitlines() if line.strip()]
    except (OSError, TypeError):
        lines = []
    short_of_memory = [line for line in lines if "OutOfMemoryError" in line]  # followed by pages of advice
    return (short_of_memory or lines or ["the worker was lost"])[-1]
