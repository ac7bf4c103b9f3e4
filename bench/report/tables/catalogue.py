"""Every method of a run by imbalance factor, sorted by the chosen metric."""

from __future__ import annotations

import math

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.records.columns import factor_words, group_name
from bench.report.tables.cells import cells_of
from bench.report.tables.layout import columns_of
from bench.report.tables.table import Cell, Column, Row, Table, rank_columns
from lt_core.metrics import METRICS


def build(frame: pd.DataFrame, metric: str = "error") -> Table:
    """One row per method with its parameters, the best mean over all columns first; rows with empty cells come last."""
    figure = METRICS[metric]
    frame, notes = one_budget(frame)
    cells = columns_of(frame)
    columns = tuple(Column(group_name(*key[:2]), factor_words(key[2])) for key, _ in cells)
    labels = dict.fromkeys(frame["label"])
    by_column = [cells_of(figure, rows, labels) for _, rows in cells]
    rows = [Row(label, tuple(column[label] for column in by_column)) for label in labels]
    sign = 1 if figure.lower_is_better else -1
    rows.sort(key=lambda row: _order(row.cells, sign))
    title = f"All methods: {figure.title}, by imbalance factor"
    table = Table("catalogue", title, "Method", columns, tuple(rows), tuple(notes))
    return rank_columns(table, lower_is_better=figure.lower_is_better)


def _order(cells: tuple[Cell, ...], sign: int) -> tuple[int, float]:
    means = [cell.mean for cell in cells if cell.mean is not None]
    return len(cells) - len(means), sign * sum(means) / len(means) if means else math.inf
