"""Cells made of trials."""

from __future__ import annotations

import math

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
    """Mean and standard deviation (n − 1) of ``values`` [n]; NaN is the deviation of one value."""
    if not len(values):
        return Cell(failed=failed)
    return Cell(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan, len(values), failed)


def cell_of(metric: Metric, frame: pd.DataFrame) -> Cell:
    """Mean and standard deviation (n − 1) of ``metric`` over the finished trials of ``frame``; the others are counted."""
    return figures_cell(of_finished(metric, frame), frame, int((frame["status"] != OK).sum()))


def figures_cell(values: pd.Series, frame: pd.DataFrame, failed: int = 0) -> Cell:
    """Mean and standard deviation (n − 1) of ``values``, figures of rows of ``frame`` by their index."""
    if values.empty:
        return Cell(failed=failed)
    done = frame.loc[values.index]
    return Cell(
        float(values.mean()), float(values.std(ddof=1)), len(values), failed, collapsed=int(done["collapsed"].sum()),
        values=dict(zip(done[REPEATS].itertuples(index=False, name=None), map(float, values), strict=True)),
    )  # fmt: skip
