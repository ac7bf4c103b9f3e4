"""The winner of a study: chosen on the validation split, then run on fresh seeds and subsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench.records.store import Store
from bench.running.driver import execute, nothing_left
from bench.running.loggers import Logger
from bench.running.machines import Machines
from bench.suites.planning import plan
from bench.suites.suite import Suite
from bench.tuning.axes import RECIPE
from bench.tuning.journal import optuna_
from bench.tuning.search import Search
from bench.tuning.space import Space
from bench.tuning.study import Setting, Study
from lt_core.errors import UserError
from lt_core.labels import short


class NothingFinished(UserError):
    """A study has no winner because every setting failed."""


@dataclass(frozen=True)
class Found:
    """The chosen setting of a study. With several objectives, ``front`` has every setting that no other beats in all of them."""

    search: Search
    setting: Setting
    front: tuple[Any, ...] = ()

    @property
    def study(self) -> Study:
        return self.search.study

    def label(self, setting: Setting | None = None) -> str:
        """A setting as tables write it."""
        shown = setting or self.setting
        recipe = [f"{k.removeprefix(RECIPE)}={short(v)}" for k, v in shown.items() if k.startswith(RECIPE)]
        return " ".join([self.study.method(shown).label, *recipe])


def winner(search: Search) -> Found:
    """The best setting by the first objective; with several objectives, the best among those on the Pareto front.

    Raises:
        NothingFinished: no setting has finished.
    """
    state = optuna_().trial.TrialState.COMPLETE
    if not search.optuna.get_trials(deepcopy=False, states=(state,)):
        raise NothingFinished(f"study {search.study.name} has no finished setting: `bench.py status` shows the causes")
    front = tuple(search.optuna.best_trials)
    sign = -1 if search.optuna.directions[0].name == "MAXIMIZE" else 1
    best = min(front, key=lambda t: (sign * t.values[0], t.number))
    return Found(search, best.user_attrs["setting"], front if len(search.space.objectives) > 1 else ())


def confirm(
    space: Space, found: Sequence[Found], store: Store, machines: Callable[[], Machines], retry_failed: bool = False,
    loggers: Mapping[str, Logger] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Run the winners, and the first settings that they are compared with, on seeds and subsets that no study has seen.

    Args:
        machines: called only if there is anything to train.
    """
    specs = {
        spec.trial_id: spec
        for one in found
        for setting in (one.setting, one.study.first)
        for spec in space.specs(one.study, setting, fresh=True)
    }
    suite = Suite(f"{space.name} on fresh seeds", space.about, "catalogue", tuple(specs.values()))
    left = plan(suite, store, retry_failed=retry_failed)
    if not nothing_left(left, store):
        on = machines()
        execute(left, store, on.backend, on.runtime, loggers=loggers)
