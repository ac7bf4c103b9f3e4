"""Which rows of a results frame may stand beside each other, and the words that say what they are."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.records.columns import BUDGET, DATA, HEADINGS, MACHINE, differences
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.result import OK, PRUNED


def reported(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of ``frame`` (a row a trial) whose test figures may be shown, and a note on those left out.

    Left out are trials of a search, among which the validation split chooses: a table of them would choose by the test part. The
    winner of a search is run on fresh seeds.

    Raises:
        UserError: all are of a search.
    """
    searched = frame["searched"].astype(bool)
    words = f"{searched.sum()} trials of a search on the validation split are left out: the winner is shown on fresh seeds"
    kept = frame[~searched & (frame["status"] != PRUNED)]  # what a study stopped is neither a figure nor a failure
    if searched.any() and kept.empty:
        raise UserError(f"{words}, and none is there")
    return kept, [words] if searched.any() else []


def one_budget(frame: pd.DataFrame, column: Sequence[str] = HEADINGS) -> tuple[pd.DataFrame, list[str]]:
    """The rows that may stand in one table, and notes on what they are and on what was left out.

    Figures of different recipes or lengths are not comparable within a dataset, nor figures of subsets drawn in
    different ways within a column: of each, the largest group stays. ``column``: keys that tell columns apart.

    Raises:
        UserError: there are no rows.
    """
    frame, notes = reported(frame)
    if frame.empty:
        raise UserError("the run has no trial yet: start it with `bench.py run`")
    kept, drawing = [], [key for key in DATA if key not in column]
    for dataset, rows in frame.groupby("dataset", sort=False):
        budget, others = _largest(rows, BUDGET)
        drawn = [_largest(cells, drawing) for _, cells in budget.groupby(list(column), sort=False, dropna=False)]
        kept.append(pd.concat([cells for cells, _ in drawn]))
        notes.append(f"{dataset}: {budget_words(kept[-1])}")
        notes.append(f"{dataset}: {measured_on(kept[-1])}")
        left_out = [_left_out(other, budget, "of another budget", BUDGET) for other in others]
        left_out += [_left_out(other, cells, "on other data", drawing) for cells, rest in drawn for other in rest]
        notes += [f"{dataset}: {words}" for words in left_out]
    return pd.concat(kept), notes


def _left_out(rows: pd.DataFrame, shown: pd.DataFrame, which: str, keys: Sequence[str]) -> str:
    """``2 trials of another budget left out (epochs 2 in place of epochs 40)``: what differs in ``rows`` from those shown."""
    row, other = rows[list(keys)].iloc[0], shown[list(keys)].iloc[0]
    unlike = f"{', '.join(differences(row, [other]))} in place of {', '.join(differences(other, [row]))}"
    return f"{counted(len(rows), 'trial')} {which} left out ({unlike})"


def _largest(frame: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """The largest group of ``frame`` by ``keys``, of equal ones that with the longest training; and the others."""
    groups = [rows for _, rows in frame.groupby(keys, sort=False, dropna=False)]
    groups.sort(key=lambda rows: (len(rows), rows["epochs"].iloc[0]), reverse=True)
    return groups[0], groups[1:]


def budget_words(frame: pd.DataFrame) -> str:
    """``recipe digits, model small_cnn, 40 epochs, figures of the last epoch``, and what was held out."""
    row = frame.iloc[0]
    held = sorted({int(v) for v in frame["validation"] if v})
    out = f", {' or '.join(map(str, held))} images a class held out for validation" if held else ""
    return f"recipe {row.recipe}, model {row.model}, {row.epochs} epochs, figures of the last epoch{out}"


def machines(frame: pd.DataFrame) -> list[str]:
    """The kinds of device behind the finished trials; on two of them the figures of one trial differ."""
    finished = frame[frame["status"] == OK]
    kinds = finished[MACHINE].drop_duplicates().itertuples(index=False)
    words = [f"{name}, {counted(round(threads), 'thread')}, {precision}" for name, threads, precision in kinds]
    return sorted(words) or ["nothing yet"]


def measured_on(frame: pd.DataFrame) -> str:
    """The kinds of device in words."""
    return f"measured on {' and on '.join(machines(frame))}"
