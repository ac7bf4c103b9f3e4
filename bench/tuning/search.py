"""A study in Optuna, which proposes settings and receives scores. It is stored in a journal that optuna-dashboard can read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.tuning.axes import SearchAxis
from bench.tuning.journal import optuna_
from bench.tuning.space import Space
from bench.tuning.study import Setting, Study
from lt_core.canonical import as_first
from lt_core.declaration import versioned
from lt_core.errors import UserError
from lt_core.metrics import metric_of
from lt_core.recipes import Recipe
from lt_core.result import OK, PRUNED, TrialResult
from lt_core.spec import DataSpec

if TYPE_CHECKING:
    import optuna

_SETTING = "setting"  # user attribute of an Optuna trial with its exact setting
_FAILURES = 10  # after this many failures in a row, a study stops until its command is given again


def score(results: Sequence[TrialResult], objectives: Sequence[str]) -> list[float]:
    """The score of a setting by each objective: means over its trials, on the validation split. The test set is not used."""
    outcomes = [result.outcome(validation=True) for result in results]
    return [sum(map(metric_of(name), outcomes)) / len(outcomes) for name in objectives]


class Search:
    """A study in progress."""

    def __init__(self, space: Space, study: Study, storage: Any, seed: int = 0, retry_failed: bool = False) -> None:
        optuna = optuna_()
        self.space, self.study = space, study
        self.optuna: Any = optuna.create_study(
            storage=storage, study_name=f"{space.name}/{study.name}", load_if_exists=True,
            directions=["minimize" if metric_of(name).lower_is_better else "maximize" for name in space.objectives],
        )  # fmt: skip
        self._refuse_another()
        trials = self.optuna.trials
        grid = study.grid() if space.sampler == "grid" else []
        queued = [t.user_attrs.get(_SETTING) for t in trials]  # not all of a grid, if the first driver was stopped meanwhile
        for setting in [study.first, *(s for s in grid if s != study.first)] if grid or not trials else []:
            if setting in queued:
                continue
            tried = {axis.label: axis.encode(setting[axis.name]) for axis in study.axes if axis.name in setting}
            self.optuna.enqueue_trial({"method": setting["method"], **tried}, user_attrs={_SETTING: setting})
        # Another seed each time, because a resumed study would otherwise propose the same settings again.
        self.optuna.sampler = _sampler(space, (seed + 1000 * sum(t.state.is_finished() for t in trials)) % 2**32)
        self.optuna.pruner = _pruner(space)
        self.spent = sum(t.user_attrs.get("seconds", 0.0) for t in trials)  # seconds of trial time
        self.failures = 0  # failures in a row since this driver started
        self.samplers: list[str] = [*self.optuna.user_attrs.get("samplers", [])]
        self.retried: list[int] = [*self.optuna.user_attrs.get("retried", [])]  # failed settings that are tried again
        if retry_failed:
            self._retry()

    def _refuse_another(self) -> None:
        """Raise an error if the study was started with other choices. Its bounds, budget and sampler may change."""
        space, study = self.space, self.study
        facts: dict[str, Any] = {
            "recipe": as_first(vars(space.recipe), Recipe), "data": [as_first(vars(d), DataSpec) for d in space.data],
            "seeds": space.seeds,
            "objectives": space.objectives, "methods": list(map(versioned, study.methods)),
            "axes": {axis.name: axis.kind for axis in study.axes},
            "paper": study.first, "grid": space.sampler == "grid" and study.grid(),
        }  # fmt: skip
        facts = json.loads(json.dumps(facts, default=str))
        begun = self.optuna.user_attrs.get("begun_with")
        if begun is None:
            self.optuna.set_user_attr("begun_with", facts)
            return
        # An older version may not have had some fields, or may have written all of them.
        then = {"recipe": as_first(begun["recipe"], Recipe), "data": [as_first(d, DataSpec) for d in begun["data"]]}
        if changed := ", ".join(key for key in facts if {**begun, **then}.get(key) != facts[key]):
            raise UserError(
                f"study {self.study.name} was started with a different choice of {changed}: choose another --out, or undo the "
                "change"
            )

    def _retry(self) -> None:
        """Try failed settings again, before others. They do not count towards the budget, which they have used already."""
        for trial in self.optuna.trials:
            if trial.state.name == "FAIL" and trial.number not in self.retried:
                self.optuna.enqueue_trial(trial.params, user_attrs={_SETTING: trial.user_attrs[_SETTING]})
                self.retried.append(trial.number)
        self.optuna.set_user_attr("retried", self.retried)

    def adopted(self) -> list[tuple[optuna.Trial, Setting]]:
        """The settings that were being tried when the last driver stopped."""
        trial = optuna_().trial
        under_way = self.optuna.get_trials(deepcopy=False, states=(trial.TrialState.RUNNING,))
        return [self._filled(trial.Trial(self.optuna, frozen._trial_id)) for frozen in under_way]

    def wants_more(self, gpus: float) -> bool:
        """Whether the budget allows another setting."""
        if self.failures >= _FAILURES:
            return False
        states = [t.state.name for t in self.optuna.get_trials(deepcopy=False)]
        waiting = states.count("WAITING")
        begun = len(states) - waiting - len(self.retried)
        if self.space.sampler == "grid" and not waiting:
            return False
        if self.space.gpu_hours and self.spent * (gpus or 1) / 3600 >= self.space.gpu_hours:
            return False
        return begun < (self.space.trials or math.inf)

    def ask(self) -> tuple[optuna.Trial, Setting]:
        """The next setting to try."""
        if self.space.sampler not in self.samplers:
            self.samplers.append(self.space.sampler)
            self.optuna.set_user_attr("samplers", self.samplers)
        return self._filled(self.optuna.ask())

    def _filled(self, trial: optuna.Trial) -> tuple[optuna.Trial, Setting]:
        """``trial`` with its setting: the exact one that it has already, or else a proposed value for each axis."""
        exact = trial.user_attrs.get(_SETTING)
        methods = self.study.methods
        setting: Setting = {"method": trial.suggest_categorical("method", methods) if len(methods) > 1 else methods[0]}
        for axis in self.study.applicable(setting):
            tried = _suggest(trial, axis)
            setting[axis.name] = exact[axis.name] if exact else axis.decode(tried)
        trial.set_user_attr(_SETTING, setting)
        return trial, setting

    def tell(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> None:
        """Report the results of a setting. If any of its trials failed, the setting failed."""
        seconds = sum(sum(r.seconds.values()) for r in results)
        self.spent += seconds
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("trial_ids", [r.trial_id for r in results])
        bad = next((r for r in results if r.status != OK), None)
        self.failures = 0 if bad is None or bad.status == PRUNED else self.failures + 1
        values = [] if bad else score(results, self.space.objectives)
        missing = [name for name, value in zip(self.space.objectives, values, strict=False) if math.isnan(value)]
        if missing:
            self.failures += 1
            self.refuse(trial, f"objective {missing[0]} has no value for what was predicted")
        elif bad is None:
            self.optuna.tell(trial, values)
        elif bad.status == PRUNED:
            self.optuna.tell(trial, state=optuna_().trial.TrialState.PRUNED)
        else:
            self.refuse(trial, f"{bad.status}: {bad.cause}")

    def refuse(self, trial: optuna.Trial, cause: str) -> None:
        """Count a setting as failed."""
        trial.set_user_attr("cause", cause)
        self.optuna.tell(trial, state=optuna_().trial.TrialState.FAIL)


def _suggest(trial: optuna.Trial, axis: SearchAxis) -> Any:
    if axis.values is not None:
        return trial.suggest_categorical(axis.label, axis.values)
    low, high = sorted((axis.encode(axis.low), axis.encode(axis.high)))
    if axis.whole:
        return trial.suggest_int(axis.label, int(low), int(high), log=axis.scale == "log")
    return trial.suggest_float(axis.label, low, high, log=axis.scale != "linear")


def _sampler(space: Space, seed: int) -> Any:
    samplers = optuna_().samplers
    startup = min(10, max(3, (space.trials or 30) // 3))  # random settings before the model proposes; 4 of a budget of 12
    made: Mapping[str, Callable[[], Any]] = {
        "tpe": lambda: samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True),
        "gp": lambda: samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "grid": lambda: samplers.RandomSampler(seed=seed),  # all its settings are queued in the study
    }
    return made[space.sampler]()


def _pruner(space: Space) -> Any:
    pruners, epochs = optuna_().pruners, space.recipe.epochs
    if space.pruner == "median":
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=epochs // 5)
    if space.pruner == "asha":
        return pruners.SuccessiveHalvingPruner(min_resource=max(1, epochs // 9), reduction_factor=3)
    return pruners.NopPruner()
