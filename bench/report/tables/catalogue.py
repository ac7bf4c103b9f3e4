"""Every method of a run by imbalance factor, sorted by the chosen metric."""

from __future__ import annotations

import math

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.records.columns import factor_words, group_name
from bench.report.tables.cells import cells_of
from bench.report.tables.layout import Grid, columns_of
from bench.report.tables.table import Cell, Table, rank_columns
from lt_core.metrics import METRICS


def build(frame: pd.DataFrame, metric: str = "error") -> Table:
    """One row per method with its parameters, the best mean over all columns first; rows with empty cells come last."""
    figure = METRICS[metric]
    frame, notes = one_budget(frame)
    labels, grid = dict.fromkeys(frame["label"]), Grid()
    for (dataset, shape, factor), of_column in columns_of(frame):
        grid.add(group_name(dataset, shape), factor_words(factor), cells_of(figure, of_column, labels))
    sign = 1 if figure.lower_is_better else -1
    rows = sorted((grid.row(label, label) for label in labels), key=lambda row: _order(row.cells, sign))
    title = f"All methods: {figure.title}, by imbalance factor"
    table = Table("catalogue", title, "Method", tuple(grid.columns), tuple(rows), tuple(notes))
    return rank_columns(table, lower_is_better=figure.lower_is_better)


def _order(cells: tuple[Cell, ...], sign: int) -> tuple[int, float]:
    means = [cell.mean for cell in cells if cell.mean is not None]
    return len(cells) - len(means), sign * sum(means) / len(means) if means else math.inf
