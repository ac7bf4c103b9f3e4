"""Answers of trained networks as tables: one row per method, with mean and spread over its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.report.tables.cells import figures_cell
from bench.report.tables.table import Column, Row, Table, rank_columns


@dataclass(frozen=True)
class Figure:
    """How a column of a frame is shown.

    Args:
        factor: what figures are multiplied by, 100 for percent.
        lower_is_better: how the column is ranked; None: it is not.
    """

    title: str
    factor: float = 1.0
    lower_is_better: bool | None = None
    group: str = ""


def by_method(
    name: str, title: str, measured: pd.DataFrame, trials: pd.DataFrame, figures: Mapping[str, Figure], notes: Sequence[str]
) -> Table:
    """A table of the columns ``figures`` of ``measured``, as far as it has them.

    Args:
        measured: one row per trial, by its id.
        trials: the results frame.
    """
    there = {column: figure for column, figure in figures.items() if column in measured}
    frame = trials.set_index("trial_id").loc[measured.index]
    rows = []
    for label in dict.fromkeys(frame["label"]):
        mine = frame[frame["label"] == label]
        cells = (
            figures_cell(figure.factor * measured.loc[mine.index, column].dropna(), mine) for column, figure in there.items()
        )
        rows.append(Row(label, tuple(cells)))
    columns = tuple(Column(f.group, f.title, plain=True, lower_is_better=f.lower_is_better) for f in there.values())
    return rank_columns(Table(name, title, "Method", columns, tuple(rows), tuple(notes)))
