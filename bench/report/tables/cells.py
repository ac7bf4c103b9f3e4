"""Cells made from trials."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from bench.analysis.metrics import of_finished
from bench.records.columns import REPEATS
from bench.report.tables.table import Cell
from lt_core.metrics import Metric
from lt_core.result import OK


def interval_words(ends: tuple[float, float] | None, missing: str = "none") -> str:
    """A confidence interval of a difference: ``+0.78 … +1.20``."""
    return missing if ends is None else f"{ends[0]:+.2f} … {ends[1]:+.2f}"


def p_words(value: float, missing: str = "none") -> str:
    """A p-value; ``missing`` where there was no test."""
    return missing if math.isnan(value) else "< 0.001" if value < 0.0005 else f"{value:.3f}"


def mean_cell(values: np.ndarray, failed: int = 0) -> Cell:
    """Mean and standard deviation (n − 1) of ``values`` [n]; for one value, the deviation is NaN."""
    if not len(values):
        return Cell(failed=failed)
    return Cell(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan, len(values), failed)


def cell_of(metric: Metric, frame: pd.DataFrame) -> Cell:
    """Mean and standard deviation (n − 1) of ``metric`` over the finished trials of ``frame``; the others are counted."""
    return figures_cell(of_finished(metric, frame), frame, int((frame["status"] != OK).sum()))


def cells_of(metric: Metric, frame: pd.DataFrame, labels: Iterable[str]) -> dict[str, Cell]:
    """The `cell_of` of each label in ``frame``; empty for a label without rows."""
    needed = frame[list(dict.fromkeys(["label", "status", "collapsed", metric.column, *REPEATS]))]  # specs are long texts
    of = dict(iter(needed.groupby("label", sort=False)))
    return {label: cell_of(metric, of[label]) if label in of else Cell() for label in labels}


def figures_cell(values: pd.Series, frame: pd.DataFrame, failed: int = 0) -> Cell:
    """Mean and standard deviation (n − 1) of ``values``, which belong to rows of ``frame`` by their index."""
    if values.empty:
        return Cell(failed=failed)
    places = frame.index.get_indexer(values.index)
    collapsed, *repeats = (frame[name].to_numpy()[places] for name in ("collapsed", *REPEATS))
    return Cell(
        float(values.mean()),
        float(values.std(ddof=1)),
        len(values),
        failed,
        collapsed=int(collapsed.sum()),
        values=dict(zip(zip(*(column.tolist() for column in repeats), strict=True), map(float, values), strict=True)),
    )
