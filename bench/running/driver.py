"""The driver, which runs a plan. Only the driver writes to the store."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from bench.records import side_files
from bench.records.folder import claim, claimed
from bench.records.provenance import provenance
from bench.records.store import Store
from bench.running import machines
from bench.running.backends.base import Backend, Job
from bench.running.execution import KEPT, Execution
from bench.running.loggers import Logger, logged, opened
from bench.running.progress import ProgressLine, summary
from bench.suites.files import read_file, write
from bench.suites.planning import Plan
from bench.suites.suite import Suite, SuiteFile
from lt_core import plugins
from lt_core.errors import UserError
from lt_core.frozen.fetch import fetch_inputs
from lt_core.labels import counted
from lt_core.result import LOST, OK, TrialResult
from lt_core.side_file import SIDE_FILES, SideFile
from lt_core.spec import TrialSpec
from lt_core.stages import check_divisible, stage_one, stages_of
from lt_core.training import Progress
from lt_core.training.runtime import Runtime


class FailedFast(UserError):
    """A trial failed, and the user wants the run to stop at the first failure."""


@dataclass
class Driver:
    """Stores every result before it reports it."""

    store: Store
    line: ProgressLine
    fail_fast: bool = False
    lost: list[str] = field(default_factory=list)  # ids of trials that will be tried again when the others are done
    last_pass: bool = False
    wants_progress: bool = False

    def progress(self, spec: TrialSpec, progress: Progress) -> str:
        self.line.progress(spec, progress)
        return ""

    def keep(self, result: TrialResult) -> TrialResult:
        """Write ``result`` with its provenance."""
        recipe = result.spec.recipe
        # What was changed in a recipe can only be said where the file that defines it is loaded.
        label = {"recipe_label": recipe.label} if "@" in recipe.name else {}
        environment = {**result.environment, **provenance(), **plugins.provenance(), **label}
        kept = dataclasses.replace(result, environment=environment)
        self.store.write(kept)
        return kept

    def result(self, result: TrialResult) -> None:
        kept = self.keep(result)
        if kept.status == LOST and not self.last_pass:
            self.lost.append(kept.trial_id)  # its retries may all have met the same dying node
            return
        self.line.result(kept)
        if self.fail_fast and kept.status != OK:
            raise FailedFast(
                "the run stops at its first failed trial because of --fail-fast; all finished trials are kept, and `bench.py "
                f"status {self.store.path}` shows the cause"
            )

    def tick(self) -> None:
        self.line.tick()


def run_plan(plan: Plan, execution: Execution) -> Store:
    """Run the trials of ``plan`` that are still missing, into the run folder of its suite, and return that run.

    Raises:
        Interrupted, UserError: see `execute`.
    """
    execution.runtime()  # reports a missing device before anything else happens
    store = Store.create(execution.out / plan.suite.name)
    left = plan.minus(store)
    if left.todo:
        store.refuse_losing_rows()
    _own(plan.suite, store)
    loggers = opened(execution.logger or (), store.path)
    kinds = [kind for kind in SIDE_FILES if execution.keep and kind.name in KEPT[execution.keep]]
    todo = {spec.trial_id for spec in left.todo}
    before = {spec.trial_id for spec in plan.specs} - todo
    for kind in kinds:
        _tell_of_lacking(store, kind, before, f"--keep {kind.name} with another --out runs them again")
    folders: dict[str, Any] = {kind.name: str(side_files.folder(store, kind).resolve()) for kind in kinds}
    if not nothing_left(left, store):
        say = partial(print, f"{plan.suite.name}:", flush=True)
        on = machines.found(execution, left.todo, len(left.todo), say)
        runtime = replace(on.runtime, **folders)
        execute(left, store, on.backend, runtime, fail_fast=execution.fail_fast, loggers=loggers)
    for kind in kinds:
        _tell_of_lacking(store, kind, todo, "the disk was full, or the node that ran the trials cannot access this folder")
    return store


def _own(suite: Suite, store: Store) -> None:
    """Record in the folder of ``store`` which file of the user its trials belong to. That of a grid is written there.

    Raises:
        UserError: another file or process owns the folder, or the file cannot be written.
    """
    before = _grid_in(suite)
    if not suite.file or (claimed(store.path, suite.file) and before == suite.grid):
        return
    with store.lock(records=False):
        claim(store.path, suite.file)
        if suite.grid is None:
            return
        try:
            write(suite.grid, suite.file)
        except OSError as error:
            raise UserError(f"{suite.file} cannot be written ({error.strerror}): choose another --out") from None
        if before:
            print(f"{suite.name}: {suite.file} now has this grid; the trials of the earlier one stay in the run", flush=True)


def _grid_in(suite: Suite) -> Mapping[str, Any] | None:
    """The grid that is in the file of ``suite``, which was given on the command line; None if there is none, or no whole one."""
    if suite.grid is None or not suite.file or not suite.file.is_file():
        return None
    try:
        return read_file(suite.file, SuiteFile)
    except UserError:  # the process that wrote it was killed
        return None


def nothing_left(plan: Plan, store: Store, say: Callable[[str], None] = print) -> bool:
    """Whether all trials of ``plan`` are done. If so, say so, and bring the Parquet of ``store`` up to date."""
    if plan.todo:
        return False
    store.compact()
    say(f"{plan.suite.name}: nothing to run, {counted(len(plan.specs), 'trial')} already finished")
    return True


def _tell_of_lacking(store: Store, kind: SideFile, trial_ids: set[str], words: str) -> None:
    lacking, done = side_files.without(store, kind, trial_ids)
    if lacking:
        place = side_files.folder(store, kind)
        print(f"{place} lacks the {kind.name} of {lacking} of {counted(done, 'finished trial')}: {words}")


def execute(
    plan: Plan,
    store: Store,
    backend: Backend,
    runtime: Runtime,
    say: Callable[[str], None] = print,
    *,
    fail_fast: bool = False,
    loggers: Mapping[str, Logger] = MappingProxyType({}),
) -> None:
    """Run the remaining trials of ``plan`` into ``store``.

    Raises:
        Interrupted: the user asked to stop; finished trials are kept and compacted.
        FailedFast: a trial failed, and ``fail_fast`` is set.
        UserError: data is missing, several processes cannot train a method together, resources will never be available, or a
            folder cannot be written.
    """
    if nothing_left(plan, store, say):
        return
    if runtime.ranks > 1:
        for spec in plan.todo:
            check_divisible(spec, runtime.device)
    needed = ((spec.data, spec.recipe) for spec in plan.todo)
    fetch_inputs(needed, runtime.data_dir, str(runtime.here()), say)
    runtime = replace(runtime, stages=str((store.path / "stages").resolve()))
    with store.lock():
        plan = plan.minus(store)  # another process may have run some of them while this one prepared
        if nothing_left(plan, store, say):
            return
        jobs = _jobs(plan.todo, store, runtime)
        workers = backend.workers()
        say(f"{plan.suite.name}: {counted(len(plan.todo), 'trial')} to run, {workers} at a time")
        line = ProgressLine(list(plan.todo), plan.counts()["done"], workers)
        start = time.monotonic()
        driver = Driver(store, line, fail_fast)
        with compacted(store, line), logged(driver, loggers, line.say) as listener:
            backend.run(jobs, listener)
            if driver.lost:
                driver.last_pass = True
                backend.run([job for job in jobs if job.spec.trial_id in driver.lost], listener)
        say(summary(time.monotonic() - start, line.finished, line.failed))


@contextmanager
def compacted(store: Store, line: ProgressLine) -> Iterator[None]:
    """Bring the Parquet of ``store`` up to date when the block ends, in whatever way it ends.

    If it ends with an error, that error is reported rather than one about Parquet: a disk without space for a record has none for
    Parquet either, which can be made again.
    """
    try:
        yield
    except BaseException:
        line.close()
        with suppress(UserError):
            if line.finished:
                store.compact()
        raise
    line.close()
    if line.finished:
        store.compact()


def _jobs(specs: Sequence[TrialSpec], store: Store, runtime: Runtime) -> list[Job]:
    """How each of ``specs`` is to run, in the order of `_in_turn`."""
    stages_one = {first.trial_id for spec in specs if (first := stage_one(spec))}
    return [
        Job(
            spec,
            replace(
                runtime,
                checkpoint=str(store.checkpoint(spec.trial_id).resolve()),
                is_stage_one=spec.trial_id in stages_one,
            ),
        )
        for spec in _in_turn(specs)
    ]


def _in_turn(specs: Sequence[TrialSpec]) -> list[TrialSpec]:
    """``specs``, with those trials moved to the end that would wait while another trial trains what they begin with."""
    begins = [stages_of(spec).begins_with(spec) for spec in specs]
    begun = {spec.trial_id for spec, first in zip(specs, begins, strict=True) if first is None}
    ahead: list[TrialSpec] = []
    behind: list[TrialSpec] = []
    for spec, first in zip(specs, begins, strict=True):
        (behind if first and first.trial_id in begun else ahead).append(spec)
        begun |= {first.trial_id} if first else set()
    return ahead + behind
