"""Error of every class from head to tail, with methods side by side (as in Kang et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.analysis.comparable import one_budget
from bench.records.columns import factor_words, group_name
from bench.report.tables.cells import mean_cell
from bench.report.tables.layout import columns_of, labels_in_order
from bench.report.tables.mm import kinds_of
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.errors import UserError
from lt_core.metrics.catalogue import FEW, MANY
from lt_core.result import OK

#: The most rows of the full table, and points of a line in the chart; with more classes, neighbours by size share one.
MOST = 200
#: The most classes that every format lists one by one. Larger sets are shown in groups: by shots, and in `_GROUPS` by size.
LISTED, _GROUPS = 20, 10
_SHOTS = ("many-shot", "medium-shot", "few-shot")
#: Rows of the maximum-margin table for which the paper draws every class.
_PAPER = ("ERM", "ERM re-weighting", "LDAM DRW", "MM DRW")


def shown(frame: pd.DataFrame) -> dict[str, str]:
    """Label → name: the paper's four methods, with the paper's names, if they are most of the run; otherwise every method."""
    rows = {label: kind for label, kind in kinds_of(frame).items() if kind.plain in _PAPER}
    labels = labels_in_order(frame, ("softmax",))
    if len(rows) < 2 or 2 * len(rows) < len(labels):
        return {label: label for label in labels}
    return {label: kind.name for label, kind in sorted(rows.items(), key=lambda item: _PAPER.index(item[1].plain))}


def by_class(frame: pd.DataFrame, per_class: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(group, imbalance factor, errors) of each data column. The frame errors has one row per trial and class, with label, rank
    (0 is the largest class), train_count and error in %.
    """
    done = frame.loc[frame["status"] == OK, ["trial_id", "label", "seed"]]
    every = per_class[per_class["trial_id"].isin(done["trial_id"])].merge(done, on="trial_id")
    for (dataset, shape, factor), rows in columns_of(frame):
        errors = every[every["trial_id"].isin(rows["trial_id"])]
        errors = errors.sort_values(["trial_id", "train_count", "class"], ascending=[True, False, True], kind="stable")
        errors["rank"] = errors.groupby("trial_id").cumcount()
        errors["error"] = 100 * (1 - errors["recall"])
        yield group_name(dataset, shape), factor_words(factor), errors


def width_of(errors: pd.DataFrame) -> int:
    """How many classes of similar size share a row, so that there are at most `MOST` rows."""
    return max(1, math.ceil(errors["rank"].nunique() / MOST))


def in_stretches(errors: pd.DataFrame, width: int) -> pd.DataFrame:
    """One row per trial and stretch of ``width`` neighbouring ranks (the last may be shorter): label, stretch (0 has the largest
    classes), first and last rank, most and fewest training images of its classes, and their mean error.
    """
    return _in_groups(errors.assign(stretch=errors["rank"] // width), "stretch")


def _in_groups(errors: pd.DataFrame, by: str) -> pd.DataFrame:
    groups = errors.groupby(["trial_id", "label", by], as_index=False)
    return groups.agg(
        first=("rank", "min"), last=("rank", "max"), most=("train_count", "max"), fewest=("train_count", "min"),
        error=("error", "mean"),
    )  # fmt: skip


def several(low: int, high: int) -> str:
    """``7``, or ``7–9``."""
    return f"{low}" if low == high else f"{low}–{high}"


def build(frame: pd.DataFrame, per_class: pd.DataFrame, metric: str = "error") -> Table:
    """One row per class by rank, and one column per method and data column; cells are mean and standard deviation over seeds.

    For more than `LISTED` classes, the rows are the many-, medium- and few-shot classes and ten groups of classes of similar
    size; `Table.full` then has the classes themselves, in at most `MOST` rows.

    Args:
        frame: one row per trial.
        per_class: one row per trial and class (`bench.records.frames.per_class`).

    Raises:
        UserError: ``metric`` is not the error, and other metrics are not defined for a class.
    """
    if metric != "error":
        raise UserError(f"table per_class shows the error of each class, not {metric}: omit --metric")
    frame, notes = one_budget(frame)
    papers = shown(frame)
    labels = labels_in_order(frame, ("softmax",))
    names = papers if len(papers) == len(labels) else dict(zip(labels, labels, strict=True))
    found = list(by_class(frame, per_class))
    width, classes = max((width_of(errors), errors["rank"].nunique()) for _, _, errors in found) if found else (1, 0)
    every = _table(found, names, notes, width, classes)
    if classes <= LISTED:
        return every
    return replace(_table(found, names, notes, math.ceil(classes / _GROUPS), classes, shots=True), full=every)


def _table(
    found: Sequence[tuple[str, str, pd.DataFrame]], names: dict[str, str], notes: Sequence[str], width: int, classes: int,
    shots: bool = False,
) -> Table:  # fmt: skip
    """The table with one row per ``width`` classes of similar size; ``shots``: rows for all classes and `_SHOTS` come first."""
    columns = [
        Column(f"{group} IF {factor}", name, plain=True) for group, factor, _ in found for name in ("images", *names.values())
    ]
    grouped = [_shots(errors) for _, _, errors in found] if shots else []
    rows = [row for kind in ("all", *_SHOTS) if shots and (row := _row(kind, kind, grouped, names))]
    grouped = [in_stretches(errors, width).rename(columns={"stretch": "group"}) for _, _, errors in found]
    for first in range(0, classes, width):
        end = " (head)" if not first else " (tail)" if first + width >= classes else ""
        label = several(first + 1, min(first + width, classes)) + end
        rows.append(_row(first // width, label, grouped, names) or Row(label, (Cell(),) * len(columns)))
    if width > 1:
        each = "each numbered row" if shots else "each row"
        where = "--full, CSV and JSON have more" if shots else "per_class.parquet has every class"
        notes = [*notes, f"{each} is the mean over {width} classes of similar size; {where}"]
    if shots:
        notes = [*notes, f"many-shot: more than {MANY} training images; medium-shot: {FEW}–{MANY}; few-shot: fewer than {FEW}"]
    title = "Error rate of each class in % on the test set, from the largest class to the smallest"
    return Table("per_class", title, "Class by size", tuple(columns), tuple(rows), tuple(notes))


def _shots(errors: pd.DataFrame) -> pd.DataFrame:
    """`_in_groups` for all classes together, and for each of `_SHOTS`."""
    by_size = np.select([errors["train_count"] > MANY, errors["train_count"] >= FEW], _SHOTS[:2], _SHOTS[2])
    return pd.concat([_in_groups(errors.assign(group=group), "group") for group in ("all", by_size)])


def _row(group: object, label: str, grouped: Sequence[pd.DataFrame], names: Iterable[str]) -> Row | None:
    """The row of one group of classes: their numbers of images and their errors in each data column; None without classes."""
    cells: list[Cell] = []
    for frame in grouped:
        mine = frame[frame["group"] == group]
        cells.append(Cell(text=several(mine["fewest"].min(), mine["most"].max())) if len(mine) else Cell())
        cells += [mean_cell(mine.loc[mine["label"] == name, "error"].to_numpy()) for name in names]
    return Row(label, tuple(cells)) if any(cell.words() for cell in cells) else None
