"""The metrics of a results frame, in the units shown to readers."""

from __future__ import annotations

import pandas as pd

from lt_core.metrics import Metric
from lt_core.result import OK


def of_rows(metric: Metric, frame: pd.DataFrame) -> pd.Series:
    """``metric`` of each row of ``frame`` in its unit; NaN where a row does not have it."""
    return metric.in_unit(metric.of_column(frame[metric.column]))


def of_finished(metric: Metric, frame: pd.DataFrame) -> pd.Series:
    """``metric`` of each finished trial of ``frame`` that has it, in its unit."""
    return of_rows(metric, frame)[frame["status"] == OK].dropna()
