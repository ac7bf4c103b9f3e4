"""A listener that passes everything on to loggers, whatever the backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.running.loggers.base import Begun, Logger, TrialLog
from lt_core.errors import in_a_line
from lt_core.result import OK, TrialResult
from lt_core.spec import TrialSpec

if TYPE_CHECKING:
    from bench.running.backends.base import Listener
    from lt_core.training import Progress

INTERRUPTED = "interrupted"  # the status of a trial that was running when the run ended


@contextmanager
def logged(
    listener: Listener, loggers: Mapping[str, Logger], say: Callable[[str], None] = print, *, searching: bool = False
) -> Iterator[Listener]:
    """A listener that passes everything on to ``listener`` and to ``loggers`` while the block runs.

    A logger that raises an error is named in a warning and not used any more, so that no trial is lost because of it.

    Args:
        say: prints a line.
        searching: keep figures on the test set from the loggers, because hyperparameters are being chosen.
    """
    if not loggers:
        yield listener
        return
    told = Logged(listener, loggers, say, searching)
    try:
        yield told
    finally:
        told.close()


class Logged:
    """See `logged`."""

    wants_progress = True

    def __init__(self, listener: Listener, loggers: Mapping[str, Logger], say: Callable[[str], None], searching: bool) -> None:
        self.listener, self.loggers, self.say, self.searching = listener, dict(loggers), say, searching
        self.open: dict[str, dict[str, TrialLog]] = {}  # trial → logger → its log
        self.last: dict[str, int] = {}  # trial → the last epoch that was logged, because a restarted trial repeats some

    def progress(self, spec: TrialSpec, progress: Progress) -> str:
        reason = self.listener.progress(spec, progress)
        self._begin(spec)
        if progress.point:
            self._point(spec.trial_id, progress.epoch, progress.point)
        return reason

    def result(self, result: TrialResult) -> None:
        try:
            self.listener.result(result)  # first, because it stores the record
        finally:
            self._begin(result.spec)
            for row in result.curve:  # adds epochs for which no progress was reported
                self._point(result.trial_id, int(row["epoch"]), row)
            self._end(result.trial_id, result.status, result.cause, self._figures(result))

    def tick(self) -> None:
        self.listener.tick()

    def close(self) -> None:
        """End the logs of trials that are still running."""
        for trial_id in list(self.open):
            self._end(trial_id, INTERRUPTED, "the run was stopped", {})

    def _begin(self, spec: TrialSpec) -> None:
        if spec.trial_id in self.open:
            return
        logs = self.open[spec.trial_id] = {}
        trial = Begun.of(spec)
        for name, logger in list(self.loggers.items()):
            with self._guarded(name):
                logs[name] = logger.begin(trial)

    def _point(self, trial_id: str, epoch: int, point: Mapping[str, float]) -> None:
        if epoch <= self.last.get(trial_id, 0):
            return
        self.last[trial_id] = epoch
        figures = {k: v for k, v in _finite(point).items() if k != "epoch" and not (self.searching and k.startswith("test_"))}
        for name, log in list(self.open[trial_id].items()):
            with self._guarded(name):
                log.point(epoch, figures)

    def _end(self, trial_id: str, status: str, cause: str, figures: Mapping[str, float]) -> None:
        for name, log in self.open.pop(trial_id).items():
            with self._guarded(name):
                log.end(status, cause, figures)

    def _figures(self, result: TrialResult) -> dict[str, float]:
        if result.status != OK:
            return {}
        test = {} if self.searching else result.metrics()
        return _finite(test | {f"validation_{name}": value for name, value in result.validation_metrics().items()})

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.loggers.pop(name, None)
            for logs in self.open.values():
                logs.pop(name, None)
            self.say(f"warning: logging to {name} stopped ({in_a_line(error)}); the run continues without it")


def _finite(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None and math.isfinite(value)}
