"""Error of every class, head to tail, methods side by side (Kang et al. 2021 show class-balanced, LDAM-DRW and MM-DRW so)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.records.columns import group_name
from bench.report.tables.cells import mean_cell
from bench.report.tables.layout import columns_of
from bench.report.tables.mm import kinds_of
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.errors import UserError
from lt_core.result import OK

#: Rows of the maximum-margin table that the paper draws class by class.
_PAPER = ("ERM", "ERM re-weighting", "LDAM DRW", "MM DRW")


def shown(frame: pd.DataFrame) -> dict[str, str]:
    """Labels to show → their names: the paper's four where a run has two of them or more, else every method."""
    rows = {label: kind for label, kind in kinds_of(frame).items() if kind.plain in _PAPER}
    if len(rows) < 2:
        return {str(label): str(label) for label in dict.fromkeys(frame["label"])}
    return {label: kind.name for label, kind in sorted(rows.items(), key=lambda item: _PAPER.index(item[1].plain))}


def by_class(frame: pd.DataFrame, per_class: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(group, imbalance factor, errors) of each data column. errors: a row a trial and class with label, rank (0 the largest
    class), train_count and error in %.
    """
    for (dataset, shape, factor), rows in columns_of(frame):
        errors = per_class.merge(rows.loc[rows["status"] == OK, ["trial_id", "label", "seed"]], on="trial_id")
        errors = errors.sort_values(["trial_id", "train_count", "class"], ascending=[True, False, True], kind="stable")
        errors["rank"] = errors.groupby("trial_id").cumcount()
        errors["error"] = 100 * (1 - errors["recall"])
        yield group_name(dataset, shape), f"{factor:.3g}", errors


def build(frame: pd.DataFrame, per_class: pd.DataFrame, metric: str = "error") -> Table:
    """One row a class by rank, one column a method for each data column; mean and standard deviation over seeds.

    Args:
        frame: a row a trial.
        per_class: a row a trial and class (`bench.records.frames.per_class`).

    Raises:
        UserError: another metric, which classes do not have.
    """
    if metric != "error":
        raise UserError(f"table per_class shows the error of each class, not {metric}: drop --metric")
    frame, notes = one_budget(frame)
    names = shown(frame)
    columns, cells = [], []
    for group, factor, errors in by_class(frame[frame["label"].isin(list(names))], per_class):
        columns.append(Column(f"{group} IF {factor}", "images", plain=True))
        sizes = errors.groupby("rank")["train_count"].first()
        cells.append({rank: Cell(text=str(size)) for rank, size in sizes.items()})
        for label in names:
            columns.append(Column(f"{group} IF {factor}", names[label], plain=True))
            of_class = errors[errors["label"] == label].groupby("rank")["error"]
            cells.append({rank: mean_cell(values.to_numpy()) for rank, values in of_class})
    count = max((len(column) for column in cells), default=0)
    rows = tuple(
        Row(
            f"{rank + 1}{' (head)' if rank == 0 else ' (tail)' if rank == count - 1 else ''}",
            tuple(c.get(rank, Cell()) for c in cells),
        )
        for rank in range(count)
    )
    title = "Error rate of each class in % on the test part, from the largest class to the smallest"
    return Table("per_class", title, "Class by size", tuple(columns), rows, tuple(notes))
