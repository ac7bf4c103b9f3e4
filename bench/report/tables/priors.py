"""Methods on test sets with other class frequencies, by way of adapting to them: a table for each data column."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from bench.analysis.comparable import chosen, one_budget
from bench.analysis.label_shift import PRIORS
from bench.records.columns import LABEL_HEADINGS, describe
from bench.report.tables.cells import figures_cell
from bench.report.tables.table import Cell, Column, Row, Table, rank_columns
from lt_core.errors import UserError
from lt_core.label_shift import AS_IS, BBSE, EM, KNOWN
from lt_core.labels import counted
from lt_core.result import OK

_WAYS = (AS_IS, KNOWN, EM, BBSE)
_COLUMNS = tuple(Column("", name.replace("_", " "), plain=True, lower_is_better=False) for name in PRIORS)
_WORDS = (
    "forward 50: the largest class in training is 50 times as frequent in the test set as the smallest; backward 50: the "
    "reverse; these are expected accuracies, and no test set is sampled",
    f"{KNOWN}: calibrated posteriors times q_c / π_c, where q is the known test prior and π the prior of the posteriors; "
    f"{EM}, {BBSE}: q is estimated from an unlimited number of unlabelled test images",
    "calibration and π are fitted on the labels of the validation split, which an unadapted method does not use",
)


def build(frame: pd.DataFrame, accuracies_of: Callable[[pd.DataFrame], pd.DataFrame], only: str = "*") -> list[Table]:
    """One row per method and way of adapting, and one column per test prior; the best methods without adaptation come first.

    Args:
        frame: one row per trial.
        accuracies_of: `bench.analysis.label_shift.under_priors` of the run.
        only: a glob on methods and labels.

    Raises:
        UserError: no trial of these methods on imbalanced classes has kept its predictions.
    """
    shown, notes = one_budget(chosen(frame, only), LABEL_HEADINGS)
    shown = shown[(shown["status"] == OK) & (shown["imbalance_factor"] > 1)]
    accuracies = accuracies_of(shown)
    kept = shown[shown.index.isin(accuracies.index)]
    if kept.empty:
        raise UserError(
            "no finished trial of these methods on imbalanced classes has kept predictions: run them with --keep predictions"
        )
    if len(kept) < len(shown):
        notes.append(f"{counted(len(shown) - len(kept), 'finished trial')} without predictions left out")
    groups = [rows for _, rows in kept.groupby(LABEL_HEADINGS, sort=False, dropna=False)]
    places = list(dict.fromkeys(kept["dataset"]))
    groups.sort(key=lambda rows: (places.index(rows["dataset"].iloc[0]), -rows["imbalance_factor"].iloc[0]))
    names = [describe(rows.iloc[0], (other.iloc[0] for other in groups)) for rows in groups]
    return [_table(name, rows, accuracies.loc[rows.index], notes) for name, rows in zip(names, groups, strict=True)]


def _table(name: str, trials: pd.DataFrame, accuracies: pd.DataFrame, notes: list[str]) -> Table:
    as_is = accuracies.loc[accuracies["way"] == AS_IS, list(PRIORS)].mean(axis=1).groupby(trials["label"]).mean()
    rows = [
        Row(
            label if way == AS_IS else f"{label} + {way}", _cells(accuracies, trials[trials["label"] == label], way), way != AS_IS
        )
        for label in as_is.sort_values(ascending=False, kind="stable").index
        for way in _WAYS
    ]
    title = f"Accuracy in % on test sets with other class frequencies: {name}"
    made = Table("priors", title, "Method", _COLUMNS, tuple(rows), (*_WORDS, *_empty(accuracies), *notes))
    return rank_columns(made)


def _cells(accuracies: pd.DataFrame, trials: pd.DataFrame, way: str) -> tuple[Cell, ...]:
    mine = accuracies[accuracies["way"] == way].loc[trials.index]
    if way != AS_IS:
        trials = trials.assign(collapsed=False)  # shown only for the method as it is
    return tuple(figures_cell(mine[name].dropna(), trials) for name in PRIORS)


def _empty(accuracies: pd.DataFrame) -> list[str]:
    """Notes on why some figures are missing."""
    lacking = accuracies[list(PRIORS)].isna().any(axis=1).groupby(accuracies["way"]).sum()
    no_split, singular = int(lacking[KNOWN]), int(lacking[BBSE] - lacking[KNOWN])
    words = []
    if no_split:
        words.append(f"{counted(no_split, 'trial')} without validation images of each class: only the unadapted method is shown")
    if singular:
        words.append(f"{counted(singular, 'trial')} without {BBSE}: the validation split's confusion matrix cannot be inverted")
    return words
