"""Cells made of trials."""

from __future__ import annotations

import pandas as pd

from bench.analysis.metrics import Figure
from bench.report.tables.table import Cell
from lt_core.result import OK


def cell_of(figure: Figure, frame: pd.DataFrame) -> Cell:
    """Mean and standard deviation (n − 1) of ``figure`` over the finished trials of ``frame``; the others are counted."""
    values, failed = figure.values(frame), int((frame["status"] != OK).sum())
    if values.empty:
        return Cell(failed=failed)
    done = frame.loc[values.index]
    return Cell(
        float(values.mean()), float(values.std(ddof=1)), len(values), failed, collapsed=int(done["collapsed"].sum()),
        values=dict(zip(zip(done["subset_seed"], done["seed"], strict=True), map(float, values), strict=True)),
    )  # fmt: skip
