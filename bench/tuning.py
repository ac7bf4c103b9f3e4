"""Studies: Optuna proposes, the backends train, the validation split judges.

A setting is one or several ordinary trials (seeds × subsets): same ids, same store, same resume. The driver alone asks and
tells; the study lies in a journal beside the records, for optuna-dashboard to read.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.backends.base import Backend, Job
from bench.progress import ProgressLine, summary
from bench.runner import Driver
from bench.space import OBJECTIVES, Axis, Setting, Space, Study
from bench.store import Store
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.result import LOST, OK, PRUNED, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training.runtime import Runtime
from lt_core.training.trial import Progress

if TYPE_CHECKING:
    import optuna

_SETTING = "setting"  # user attribute of an Optuna trial: what it is here, exactly


def score(results: Sequence[TrialResult], objectives: Sequence[str]) -> list[float]:
    """A setting's values: means over its trials, of the validation split's figures. The test part is not looked at."""
    rows = [{**r.validation_metrics(), "seconds": r.seconds["train"]} for r in results]
    return [sum(row[name] for row in rows) / len(rows) for name in objectives]


def optuna_() -> Any:
    """Optuna, imported late and quiet.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError("tuning needs Optuna, which is not installed: pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_storage(path: Path) -> Any:
    """The journal at ``path``; the caller holds the run's lock, so that whatever a killed writer left is put right."""
    optuna = optuna_()
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if path.exists():
        whole = path.read_bytes()
        if not whole.endswith(b"\n"):
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


class Search:
    """One study under way."""

    def __init__(self, space: Space, study: Study, storage: Any, seed: int = 0) -> None:
        optuna = optuna_()
        self.space, self.study = space, study
        self.optuna: Any = optuna.create_study(
            storage=storage, study_name=f"{space.name}/{study.name}", load_if_exists=True,
            directions=["maximize" if OBJECTIVES[name] else "minimize" for name in space.objectives],
        )  # fmt: skip
        self._refuse_another()
        trials = self.optuna.trials
        if not trials:
            grid = study.grid() if space.sampler == "grid" else []
            for setting in [study.first, *(s for s in grid if s != study.first)]:
                tried = {axis.label: axis.encode(setting[axis.name]) for axis in study.axes if axis.name in setting}
                self.optuna.enqueue_trial({"method": setting["method"], **tried}, user_attrs={_SETTING: setting})
        # Another seed each time, or a resumed study would draw again what it has drawn.
        self.optuna.sampler = _sampler(space, seed + 1000 * sum(t.state.is_finished() for t in trials))
        self.optuna.pruner = _pruner(space)
        self.spent = sum(t.user_attrs.get("seconds", 0.0) for t in trials)  # of its trials

    def _refuse_another(self) -> None:
        """A study goes on only with what it was begun with; its ranges and its budget may grow."""
        data = [vars(d) for d in self.space.data]
        facts = {"recipe": vars(self.space.recipe), "data": data, "seeds": self.space.seeds, "objectives": self.space.objectives}
        facts = json.loads(json.dumps(facts, default=str))
        begun = self.optuna.user_attrs.get("begun_with")
        if begun is None:
            self.optuna.set_user_attr("begun_with", facts)
        elif begun != facts:
            changed = ", ".join(key for key in facts if begun.get(key) != facts[key])
            raise UserError(
                f"study {self.study.name} was begun with another choice of {changed}: choose another --out, or undo the change"
            )

    def adopted(self) -> list[tuple[optuna.Trial, Setting]]:
        """Settings that were being tried when the last driver was stopped."""
        trial = optuna_().trial
        under_way = self.optuna.get_trials(deepcopy=False, states=(trial.TrialState.RUNNING,))
        return [self._filled(trial.Trial(self.optuna, frozen._trial_id)) for frozen in under_way]

    def wants_more(self, gpus: float) -> bool:
        """Whether the budget allows another setting."""
        states = [t.state.name for t in self.optuna.get_trials(deepcopy=False)]
        begun = sum(state != "WAITING" for state in states)
        if self.space.sampler == "grid" and begun == len(states):
            return False
        if self.space.gpu_hours and self.spent * (gpus or 1) / 3600 >= self.space.gpu_hours:
            return False
        return begun < (self.space.trials or math.inf)

    def ask(self) -> tuple[optuna.Trial, Setting]:
        """The next setting."""
        return self._filled(self.optuna.ask())

    def _filled(self, trial: optuna.Trial) -> tuple[optuna.Trial, Setting]:
        """``trial`` with a value for each axis; what it has already stays."""
        exact = trial.user_attrs.get(_SETTING)
        methods = self.study.methods
        setting: Setting = {"method": trial.suggest_categorical("method", methods) if len(methods) > 1 else methods[0]}
        for axis in self.study.applicable(setting):
            tried = _suggest(trial, axis)
            setting[axis.name] = exact[axis.name] if exact else axis.decode(tried)
        trial.set_user_attr(_SETTING, setting)
        return trial, setting

    def tell(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """What came of a setting; of several trials the one that failed speaks for all."""
        state = optuna_().trial.TrialState
        seconds = sum(sum(r.seconds.values()) for r in results)
        self.spent += seconds
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("trial_ids", [r.trial_id for r in results])
        bad = next((r for r in results if r.status != OK), None)
        if bad is None:
            self.optuna.tell(trial, score(results, self.space.objectives))
        elif bad.status == PRUNED:
            self.optuna.tell(trial, state=state.PRUNED)
        else:
            trial.set_user_attr("cause", f"{bad.status}: {bad.cause}")
            self.optuna.tell(trial, state=state.FAIL)


class Tuner(Driver):
    """Source of jobs and listener in one: asks the studies in turn, and tells them when a setting's trials have all ended."""

    def __init__(self, searches: Sequence[Search], store: Store, runtime: Runtime, line: ProgressLine, gpus: float) -> None:
        super().__init__(store, line)
        self.searches, self.runtime, self.gpus = deque(searches), runtime, gpus
        self.watched = searches[0].space.pruner != "none"
        self.open: list[tuple[Search, optuna.Trial, tuple[TrialSpec, ...]]] = []
        self.queue: deque[TrialSpec] = deque()
        self.flying: set[str] = set()
        self.tried_again: set[str] = set()
        for search in searches:
            for trial, setting in search.adopted():
                self._open(search, trial, setting)

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
        specs = search.space.specs(search.study, setting)
        self.open.append((search, trial, specs))
        for spec in specs:
            known = self.store.read(spec.trial_id)
            if (known is None or known.status == LOST) and spec.trial_id not in self.flying:
                self.queue.append(spec)
                self.flying.add(spec.trial_id)
                self.line.expect(spec)
        self._settle()

    # Listener -----------------------------------------------------------------------------------

    def progress(self, spec: TrialSpec, progress: Progress) -> str:
        super().progress(spec, progress)
        if not self.watched or not progress.point or progress.epoch == progress.epochs:
            return ""
        for search, trial, specs in self.open:
            # The paper's own setting is what the others are compared with: it is never stopped.
            if spec in specs and trial.number:
                objective = search.space.objectives[0]
                value = progress.point[f"validation_{objective}"]
                trial.report(value, progress.epoch)
                if trial.should_prune():
                    words = f"{100 * value:.1f} % validation {objective.replace('_', ' ')}"
                    return f"stopped by {search.space.pruner} after epoch {progress.epoch} of {progress.epochs}: {words}"
        return ""

    def result(self, result: TrialResult) -> None:
        kept = self.keep(result)
        if kept.status == LOST and kept.trial_id not in self.tried_again:
            self.tried_again.add(kept.trial_id)
            self.queue.append(kept.spec)
            return
        self.flying.discard(kept.trial_id)
        self.line.result(kept)
        self._settle()

    def _settle(self) -> None:
        """Tell of every setting whose trials have all ended."""
        waiting = []
        for search, trial, specs in self.open:
            if any(spec.trial_id in self.flying for spec in specs):
                waiting.append((search, trial, specs))
                continue
            results = [self.store.read(spec.trial_id) for spec in specs]
            search.tell(trial, [result for result in results if result is not None])
        self.open = waiting


def tune(
    space: Space, store: Store, backend: Backend, runtime: Runtime, *, gpus: float = 0.0, seed: int = 0,
    say: Callable[[str], None] = print,
) -> list[Search]:  # fmt: skip
    """Search every study of ``space`` into ``store`` until its budget is spent; the same call again goes on.

    Args:
        gpus: of a trial; what a budget in hours counts with.
        seed: of the samplers.

    Raises:
        Interrupted: the user asked to stop; the study goes on from there.
        UserError: a study that was begun with something else, data that is not there, a folder that cannot be written.
    """
    for name in dict.fromkeys(data.dataset for data in space.data):
        load_set(name, runtime.data_dir)  # decoded once, here, before workers would each do it
    runtime = replace(runtime, stages=str((store.path / "stages").resolve()))
    with store.lock():
        storage = open_storage(store.path / "studies.journal")
        searches = [Search(space, study, storage, seed) for study in space.studies]
        workers = backend.workers()
        line = ProgressLine([], 0, workers, total=sum(_trials_left(search) for search in searches))
        start = time.monotonic()
        tuner = Tuner(searches, store, runtime, line, gpus)
        if tuner.over():
            say(f"{space.name}: the budget of every study is spent, nothing to search")
            return searches
        budget = f"{space.trials} settings" if space.trials else f"{space.gpu_hours:g} hours" if space.gpu_hours else "a grid"
        each = len(space.seeds) * len(space.data)
        say(f"{space.name}: {len(searches)} studies, {budget} each, {each} trials a setting, {workers} at a time")
        try:
            backend.run(tuner, tuner)
        finally:
            line.close()
            if line.finished:
                store.compact()
        say(summary(time.monotonic() - start, line.finished, line.failed))
    return searches


def _trials_left(search: Search) -> int:
    finished = sum(t.state.is_finished() for t in search.optuna.get_trials(deepcopy=False))
    settings = search.space.trials or len(search.optuna.trials)
    return max(0, settings - finished) * len(search.space.seeds) * len(search.space.data)


def _suggest(trial: optuna.Trial, axis: Axis) -> Any:
    if axis.values is not None:
        return trial.suggest_categorical(axis.label, axis.values)
    low, high = sorted((axis.encode(axis.low), axis.encode(axis.high)))
    if axis.whole:
        return trial.suggest_int(axis.label, int(low), int(high), log=axis.scale == "log")
    return trial.suggest_float(axis.label, low, high, log=axis.scale != "linear")


def _sampler(space: Space, seed: int) -> Any:
    samplers = optuna_().samplers
    startup = min(10, max(3, (space.trials or 30) // 3))  # random settings before the model is asked; a budget of 12 has 4
    made: Mapping[str, Callable[[], Any]] = {
        "tpe": lambda: samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True),
        "gp": lambda: samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "grid": lambda: samplers.RandomSampler(seed=seed),  # its settings wait in the study
    }
    return made[space.sampler]()


def _pruner(space: Space) -> Any:
    pruners, epochs = optuna_().pruners, space.recipe.epochs
    if space.pruner == "median":
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=epochs // 5)
    if space.pruner == "asha":
        return pruners.SuccessiveHalvingPruner(min_resource=max(1, epochs // 9), reduction_factor=3)
    return pruners.NopPruner()
