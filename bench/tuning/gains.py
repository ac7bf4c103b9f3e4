"""The gain of each tuned method over the baseline: as declared, and tuned with the same budget.

A space that names a `baseline` gives every study the same number of settings on the same axes of the recipe, in addition to its
own axes. The choice made on the validation split is confirmed on fresh subsets and seeds, and all figures here come from these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.analysis.comparison import Comparison, compare
from bench.analysis.metrics import of_rows
from bench.records.layout import SECONDS
from bench.records.store import Store
from bench.report.tables.cells import cell_of
from bench.report.tables.table import Cell
from bench.tuning.space import Space
from bench.tuning.study import Setting
from bench.tuning.winners import Found
from lt_core.errors import UserError
from lt_core.metrics import Metric, metric_of

_TUNED, _DECLARED = "tuned", "as declared"
_NONE = Comparison("", 0, 0, 0.0, None, 0.0, 0.0, 0, 0)


@dataclass(frozen=True)
class Gain:
    """One study compared with the baseline, in the metric's unit, on fresh subsets and seeds.

    ``over_declared`` and ``over_tuned`` compare the tuned method with the baseline's declared and tuned setting. They are None if
    there are no pairs of trials; for the baseline itself, ``over_tuned`` is None.
    """

    found: Found
    declared: Cell
    tuned: Cell
    over_declared: Comparison | None
    over_tuned: Comparison | None
    settings: int  # number of settings that the search tried
    trials: int  # number of their trials
    seconds: float  # total time of these trials, according to their records

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.found.study.name


def ruler(space: Space) -> Metric:
    """The metric in which gains are measured: the first objective that is computed from predictions."""
    return next((metric_of(name) for name in space.objectives if not metric_of(name).measured), metric_of("balanced_accuracy"))


def gains(space: Space, found: Sequence[Found], store: Store) -> list[Gain]:
    """The baseline, then the other studies, the largest gain over the tuned baseline first.

    Every tuned method is compared with the baseline over trials of the same images and seed, as `bench.analysis.comparison` does
    for a run's methods, and p-values are adjusted for the number of studies.
    """
    metric = ruler(space)
    frame = store.frame().assign(_figure=lambda rows: of_rows(metric, rows))
    of = {
        (one.study.name, how): _rows(frame, space, one, setting, f"{one.study.name}, {how}")
        for one in found
        for how, setting in ((_TUNED, one.setting), (_DECLARED, one.study.first))
    }
    tuned = [rows for (_, how), rows in of.items() if how == _TUNED]
    over_tuned = _over(f"{space.baseline}, {_TUNED}", tuned, metric)
    over_declared = _over(f"{space.baseline}, {_DECLARED}", [*tuned, of[space.baseline, _DECLARED]], metric)
    made = []
    for one in found:
        name = one.study.name
        tried = [t for t in one.search.optuna.get_trials(deepcopy=False) if t.state.is_finished()]
        settings = len(tried) - sum(_again(trial, tried) for trial in tried if trial.number in one.search.retried)
        ids = [i for t in tried for i in t.user_attrs.get("trial_ids", ())]
        # From the records, because a trial that was run again took another time than the one reported to its study.
        seconds = float(frame.loc[frame["trial_id"].isin(ids), list(SECONDS)].sum().sum())
        declared, best = (cell_of(metric, of[name, how]) for how in (_DECLARED, _TUNED))
        label = f"{name}, {_TUNED}"
        made.append(Gain(one, declared, best, over_declared.get(label), over_tuned.get(label), settings, len(ids), seconds))
    sign = -1 if metric.lower_is_better else 1
    # The baseline comes first.
    return sorted(made, key=lambda gain: (gain.name != space.baseline, -sign * (gain.over_tuned or _NONE).difference))


def _again(failed: Any, tried: Sequence[Any]) -> bool:
    """Whether the setting of a ``failed`` trial of Optuna was tried again: both count as one, as for the budget."""
    return any(t.number > failed.number and t.user_attrs.get("setting") == failed.user_attrs.get("setting") for t in tried)


def _over(baseline: str, rows: Sequence[pd.DataFrame], metric: Metric) -> dict[str, Comparison]:
    """Every label in ``rows`` against the label ``baseline``; empty if the baseline, or all others, have no finished trial."""
    try:
        found = compare(pd.concat(rows, ignore_index=True), baseline, "_figure", metric.lower_is_better)
    except UserError:
        return {}
    return {one.label: one for one in found}


def _rows(frame: pd.DataFrame, space: Space, one: Found, setting: Setting, label: str) -> pd.DataFrame:
    """The trials that confirm ``setting``, all under one ``label``, and with the space's recipe instead of a tuned one, so that
    they share a data column.
    """
    ids = [spec.trial_id for spec in space.specs(one.study, setting, fresh=True)]
    rows = frame[frame["trial_id"].isin(ids) & ~frame["searched"]]
    return rows.assign(label=label, recipe=space.recipe.name, model=space.recipe.model, epochs=space.recipe.epochs)
