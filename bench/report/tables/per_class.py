"""Error of every class from head to tail, with methods side by side (as in Kang et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.records.columns import group_name
from bench.report.tables.cells import mean_cell
from bench.report.tables.layout import columns_of
from bench.report.tables.mm import kinds_of
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.result import OK

#: Rows of the table, and points of a line in the chart; of more classes, neighbours by size share one.
MOST = 200
#: Rows of the maximum-margin table that the paper draws class by class.
_PAPER = ("ERM", "ERM re-weighting", "LDAM DRW", "MM DRW")


def shown(frame: pd.DataFrame) -> dict[str, str]:
    """Labels to show → their names: the paper's four where they are most of a run, else every method."""
    rows = {label: kind for label, kind in kinds_of(frame).items() if kind.plain in _PAPER}
    labels = list(dict.fromkeys(map(str, frame["label"])))
    if len(rows) < 2 or 2 * len(rows) < len(labels):
        return {label: label for label in labels}
    return {label: kind.name for label, kind in sorted(rows.items(), key=lambda item: _PAPER.index(item[1].plain))}


def by_class(frame: pd.DataFrame, per_class: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(group, imbalance factor, errors) of each data column. errors: a row a trial and class with label, rank (0 the largest
    class), train_count and error in %.
    """
    done = frame.loc[frame["status"] == OK, ["trial_id", "label", "seed"]]
    every = per_class[per_class["trial_id"].isin(done["trial_id"])].merge(done, on="trial_id")
    for (dataset, shape, factor), rows in columns_of(frame):
        errors = every[every["trial_id"].isin(rows["trial_id"])]
        errors = errors.sort_values(["trial_id", "train_count", "class"], ascending=[True, False, True], kind="stable")
        errors["rank"] = errors.groupby("trial_id").cumcount()
        errors["error"] = 100 * (1 - errors["recall"])
        yield group_name(dataset, shape), f"{factor:.3g}", errors


def width_of(errors: pd.DataFrame) -> int:
    """How many classes that are neighbours by size share a row, so that there are at most `MOST`."""
    return max(1, math.ceil(errors["rank"].nunique() / MOST))


def in_stretches(errors: pd.DataFrame, width: int) -> pd.DataFrame:
    """A row a trial and stretch of ``width`` neighbouring ranks, of which the last may be shorter: label, stretch (0 the largest
    classes), first and last rank, most and fewest training images of its classes, and the mean of their errors.
    """
    groups = errors.assign(stretch=errors["rank"] // width).groupby(["trial_id", "label", "stretch"], as_index=False)
    return groups.agg(
        first=("rank", "min"), last=("rank", "max"), most=("train_count", "max"), fewest=("train_count", "min"),
        error=("error", "mean"),
    )  # fmt: skip


def several(low: int, high: int) -> str:
    """``7``, or ``7–9``."""
    return f"{low}" if low == high else f"{low}–{high}"


def build(frame: pd.DataFrame, per_class: pd.DataFrame, metric: str = "error") -> Table:
    """One row a class by rank, one column a method for each data column; mean and standard deviation over seeds. Of more than
    `MOST` classes a row is a stretch of neighbours.

    Args:
        frame: a row a trial.
        per_class: a row a trial and class (`bench.records.frames.per_class`).

    Raises:
        UserError: another metric, which classes do not have.
    """
    if metric != "error":
        raise UserError(f"table per_class shows the error of each class, not {metric}: omit --metric")
    frame, notes = one_budget(frame)
    names = shown(frame)
    found = list(by_class(frame[frame["label"].isin(list(names))], per_class))
    width, classes = max((width_of(errors), errors["rank"].nunique()) for _, _, errors in found) if found else (1, 0)
    columns, cells = [], []
    for group, factor, each in found:
        errors = in_stretches(each, width)
        columns.append(Column(f"{group} IF {factor}", "images", plain=True))
        sizes = errors.groupby("stretch")[["fewest", "most"]].first()
        cells.append({place: Cell(text=several(low, high)) for place, low, high in sizes.itertuples()})
        for label in names:
            columns.append(Column(f"{group} IF {factor}", names[label], plain=True))
            of_class = errors[errors["label"] == label].groupby("stretch")["error"]
            cells.append({place: mean_cell(values.to_numpy()) for place, values in of_class})
    count = max((len(column) for column in cells), default=0)
    rows = tuple(
        Row(
            several(place * width + 1, min((place + 1) * width, classes))
            + (" (head)" if place == 0 else " (tail)" if place == count - 1 else ""),
            tuple(c.get(place, Cell()) for c in cells),
        )
        for place in range(count)
    )
    if width > 1:
        notes = [*notes, f"each row is the mean over {width} classes of similar size; per_class.parquet has every class"]
    if left := frame["label"].nunique() - len(names):
        notes = [
            *notes,
            f"only the methods of Kang et al. 2021 are shown; {counted(left, 'other method')} left out: choose with --only",
        ]
    title = "Error rate of each class in % on the test set, from the largest class to the smallest"
    return Table("per_class", title, "Class by size", tuple(columns), rows, tuple(notes))
