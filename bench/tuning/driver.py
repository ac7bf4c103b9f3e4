"""Studies: Optuna proposes settings, the backends train them, and the validation split judges them.

A setting is one or several ordinary trials (seeds × subsets), with the usual IDs, store and resuming. Only the driver talks to
Optuna. The study is kept in a journal next to the records, which optuna-dashboard can read.
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bench.records.store import Store
from bench.running.backends.base import Job
from bench.running.driver import Driver, compacted
from bench.running.loggers import Logger, logged
from bench.running.machines import Machines
from bench.running.progress import ProgressLine, summary
from bench.tuning.journal import open_storage
from bench.tuning.search import Search
from bench.tuning.space import Space
from bench.tuning.study import Setting
from lt_core.errors import UserError
from lt_core.frozen.fetch import fetch_inputs
from lt_core.labels import counted
from lt_core.metrics import metric_of
from lt_core.result import LOST, OK, PRUNED, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training import Progress
from lt_core.training.runtime import Runtime

if TYPE_CHECKING:
    import optuna


class Tuner(Driver):
    """Source of jobs and listener in one. It asks the studies in turn, and reports a setting when all its trials have ended."""

    runtime: Runtime  # of its trials; set by `given`

    def __init__(
        self, searches: Sequence[Search], store: Store, line: ProgressLine, least_gpus: float, retry_failed: bool
    ) -> None:
        super().__init__(store, line)
        self.name, self.retry_failed = searches[0].space.name, retry_failed
        self.searches, self.gpus = deque(searches), least_gpus
        self.wants_progress = searches[0].space.pruner != "none"
        self.open: list[tuple[Search, optuna.Trial, tuple[TrialSpec, ...]]] = []
        self.queue: deque[TrialSpec] = deque()
        self.flying: set[str] = set()
        self.tried_again: set[str] = set()
        self.begun: dict[str, float] = {}  # trial → time of its first progress
        for search in searches:
            for trial, setting in search.adopted():
                self._open(search, trial, setting)

    def given(self, machines: Machines) -> None:
        """Set the machines that its trials run on. Before that, it cannot give jobs, but it knows whether there are any."""
        self.runtime = replace(machines.runtime, stages=str((self.store.path / "stages").resolve()))
        self.gpus = machines.gpus

    # Source -------------------------------------------------------------------------------------

    def ask(self) -> Job | None:
        while not self.queue:
            search = next((s for s in self.searches if s.wants_more(self.gpus)), None)
            if search is None:
                return None
            self.searches.remove(search)
            self.searches.append(search)  # studies take turns
            self._open(search, *search.ask())
        spec = self.queue.popleft()
        return Job(spec, replace(self.runtime, checkpoint=str(self.store.checkpoint(spec.trial_id).resolve())))

    def over(self) -> bool:
        return not self.queue and not self.flying and not any(s.wants_more(self.gpus) for s in self.searches)

    def _open(self, search: Search, trial: optuna.Trial, setting: Setting) -> None:
        try:
            specs = search.space.specs(search.study, setting)
        except UserError as error:  # otherwise, each later start would try it again and fail
            search.refuse(trial, str(error))
            raise
        self.open.append((search, trial, specs))
        for spec in specs:
            known = self.store.read(spec.trial_id)
            if known and "searched_by" not in known.environment:  # a study chooses by it from now on
                self.store.write(replace(known, environment={**known.environment, "searched_by": self.name}))
            again = known is None or known.status == LOST or (self.retry_failed and known.status not in (OK, PRUNED))
            if again and spec.trial_id not in self.flying:
                self.queue.append(spec)
                self.flying.add(spec.trial_id)
                self.line.expect(spec)
        self._settle()

    # Listener -----------------------------------------------------------------------------------

    def progress(self, spec: TrialSpec, progress: Progress) -> str:
        super().progress(spec, progress)
        self.begun.setdefault(spec.trial_id, time.monotonic())
        if not self.wants_progress or not progress.point or progress.epoch == progress.epochs:
            return ""
        for search, trial, specs in self.open:
            # The first setting is never stopped, because the others are compared with it.
            if spec in specs and trial.number:
                metric = metric_of(search.space.objectives[0])
                value = metric.of_column(progress.point[f"validation_{metric.column}"])
                trial.report(value, progress.epoch)
                if trial.should_prune():
                    words = f"{metric.words(value)} {metric.quantity}, validation"
                    return f"stopped by {search.space.pruner} after epoch {progress.epoch} of {progress.epochs}: {words}"
        return ""

    def result(self, result: TrialResult) -> None:
        begun = self.begun.pop(result.trial_id, None)
        if not result.seconds and begun is not None:  # stopped or lost, so that it could not report its time itself
            result = replace(result, seconds={"setup": 0.0, "train": time.monotonic() - begun, "evaluate": 0.0})
        # Marked, so that its test figures are never shown; those of the winner on fresh seeds are.
        kept = self.keep(replace(result, environment={**result.environment, "searched_by": self.name}))
        if kept.status == LOST and kept.trial_id not in self.tried_again:
            self.tried_again.add(kept.trial_id)
            self.queue.append(kept.spec)
            return
        self.flying.discard(kept.trial_id)
        self.line.result(kept)
        self._settle()

    def _settle(self) -> None:
        """Report every setting whose trials have all ended."""
        waiting = []
        for search, trial, specs in self.open:
            if any(spec.trial_id in self.flying for spec in specs):
                waiting.append((search, trial, specs))
                continue
            results = [self.store.read(spec.trial_id) for spec in specs]
            search.tell(trial, [result for result in results if result is not None])
        self.open = waiting


def tune(
    space: Space, store: Store, machines: Callable[[], Machines], *, least_gpus: float = 0.0, seed: int = 0,
    retry_failed: bool = False, say: Callable[[str], None] = print, loggers: Mapping[str, Logger] = MappingProxyType({}),
) -> list[Search]:  # fmt: skip
    """Search every study of ``space`` into ``store`` until its budget is spent; the same call continues.

    Args:
        machines: called only if there is anything to train.
        least_gpus: the least number of GPUs per trial, for a budget in hours.
        seed: seed of the samplers.
        retry_failed: run failed settings again.
        loggers: receive every trial, but without its figures on the test set.

    Raises:
        Interrupted: the user asked to stop; the study can be continued.
        UserError: a study was started with different options, data is missing, or a folder cannot be written.
    """

    @functools.cache
    def ready() -> Machines:
        on, needed = machines(), ((data, space.recipe) for data in space.data)
        fetch_inputs(needed, on.runtime.data_dir, str(on.runtime.here()), say)
        return on

    journal = store.path / "studies.journal"
    with store.lock():
        if not journal.exists():
            ready()  # fails before the journal exists, so that a later study need not agree with one that never began
        storage = open_storage(journal)
        searches = [Search(space, study, storage, seed, retry_failed) for study in space.studies]
        line = ProgressLine([], 0, 0, total=sum(_trials_left(search) for search in searches))
        tuner = Tuner(searches, store, line, least_gpus, retry_failed)
        if not tuner.over():
            tuner.given(ready())
        if tuner.over():
            say(f"{space.name}: every study has used its whole budget, so there is nothing left to search")
            return searches
        backend = ready().backend
        line.workers = workers = backend.workers()
        start = line.started = time.monotonic()
        hours = f"{space.gpu_hours:g} hours" if space.gpu_hours else "a grid"
        budget = counted(space.trials, "setting") if space.trials else hours
        each = len(space.seeds) * len(space.data)
        trials = f"{counted(each, 'trial')} per setting, {workers} at a time"
        say(f"{space.name}: {counted(len(searches), 'study', 'studies')}, {budget} each, {trials}")
        with compacted(store, line), logged(tuner, loggers, line.say, searching=True) as listener:
            backend.run(tuner, listener)
        say(summary(time.monotonic() - start, line.finished, line.failed))
        for search in searches:
            if search.failures:
                last = max(search.optuna.trials, key=lambda t: t.number if "cause" in t.user_attrs else -1)
                say(f"study {search.study.name}: the last {search.failures} settings all failed: {last.user_attrs['cause']}")
    return searches


def _trials_left(search: Search) -> int:
    finished = sum(t.state.is_finished() for t in search.optuna.get_trials(deepcopy=False))
    settings = search.space.trials or len(search.optuna.trials)
    return max(0, settings - finished) * len(search.space.seeds) * len(search.space.data)
