"""What the studies of a space with a baseline have found, for the comparison of their gains (`bench.analysis.gains`).

A space that names a `baseline` gives every study the same number of settings on the same axes of the recipe, in addition to its
own axes. The choice made on the validation split is confirmed on fresh subsets and seeds, and all figures come from these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.analysis.gains import Compared, Confirmed
from bench.records.layout import SECONDS
from bench.records.store import Store
from bench.tuning.space import Space
from bench.tuning.winners import Found
from lt_core.labels import counted
from lt_core.metrics import metric_of


def compared(space: Space, found: Sequence[Found], store: Store) -> Compared:
    """The choice of each study, the trials that confirm it, and the price of its search."""
    studies = tuple(_confirmed(space, one, store) for one in found)
    same = len({study.settings for study in studies}) == 1 or not space.trials
    budget = "the same budget" if same else "different budgets"
    return Compared(space.name, space.baseline, ruler(space), budget, _notes(space, studies), studies)


def ruler(space: Space) -> str:
    """The name of the metric in which gains are measured: the first objective that is computed from predictions."""
    return next((name for name in space.objectives if not metric_of(name).measured), "balanced_accuracy")


def _confirmed(space: Space, one: Found, store: Store) -> Confirmed:
    tried = [t for t in one.search.optuna.get_trials(deepcopy=False) if t.state.is_finished()]
    settings = len(tried) - sum(_again(trial, tried) for trial in tried if trial.number in one.search.retried)
    searched = [i for t in tried for i in t.user_attrs.get("trial_ids", ())]
    # From the records, because a trial that was run again took another time than the one reported to its study.
    frame = store.frame()
    seconds = float(frame.loc[frame["trial_id"].isin(searched), list(SECONDS)].sum().sum())
    tuned, declared = (
        tuple(spec.trial_id for spec in space.specs(one.study, setting, fresh=True)) for setting in (one.setting, one.study.first)
    )
    return Confirmed(one.study.name, one.label(), settings, len(searched), seconds, tuned, declared)


def _again(failed: Any, tried: Sequence[Any]) -> bool:
    """Whether the setting of a ``failed`` trial of Optuna was tried again: both count as one, as for the budget."""
    return any(t.number > failed.number and t.user_attrs.get("setting") == failed.user_attrs.get("setting") for t in tried)


def _notes(space: Space, studies: Sequence[Confirmed]) -> tuple[str, ...]:
    tried = sorted({study.settings for study in studies})
    budget = f"{space.gpu_hours:g} hours" if space.gpu_hours else "its grid"
    if space.trials:
        budget = counted(tried[0], "setting") if len(tried) == 1 else f"{tried[0]} to {tried[-1]} settings, not the same number"
    searched = f"{counted(len({d.subset_seed for d in space.data}), 'subset')} and {counted(len(space.seeds), 'seed')}"
    shared = ", ".join(space.shared_axes())
    fresh = f"{counted(len({d.subset_seed for d in space.fresh_data}), 'subset')} × {counted(len(space.fresh_seeds), 'seed')}"
    return (
        f"each study tried {budget}, starting with its default one, over its own hyperparameters"
        + (f" and {shared}" if shared else "")
        + f"; the best on the validation split, over {searched}, was chosen",
        f"all figures are for the test set, on {fresh} that no search used: mean ± standard deviation",
    )
