"""Reliability diagrams: accuracy against confidence, mean over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import best, data_columns, finished, floats, hardest, others, records
from lt_core.metrics import BINS, expected_calibration_error

if TYPE_CHECKING:
    from bench.records.store import Store
    from lt_core.result import TrialResult

_FEWEST = 5  # a point needs at least this many images


def draw(store: Store, only: str = "*") -> Chart:
    """One panel for the largest imbalance factor of each data set, one line per method.

    Raises:
        UserError: the run has no finished trial, or no records.
    """
    frame, notes = finished(store, only)
    labels, left = best(frame, others(store, "calibration"))
    columns = hardest(data_columns(frame))
    rows = pd.concat([column.rows for column in columns])
    found = records(store, rows[rows["label"].isin(labels)])
    panels = []
    for column in columns:
        wanted = set(column.rows["trial_id"])
        mine = {label: [r for r in found.get(label, ()) if r.trial_id in wanted] for label in labels}
        lines = [_series(results, label, number) for number, (label, results) in enumerate(mine.items()) if results]
        even = Series("perfect calibration", (0.0, 100.0), (0.0, 100.0), colour=None, marks=False, dashed=True)
        x, y = Axis("mean confidence (%)", low=0, high=100), Axis("accuracy on the test set (%)", low=0, high=100)
        panels.append(Panel(column.name, x, y, (even, *lines)))
    words = [
        f"{BINS} equal bins of confidence; points are means over trials, and bins with fewer than {_FEWEST} images are not drawn",
        "below the diagonal, a method is overconfident; ECE: expected calibration error, mean over trials",
    ]
    if len(data_columns(frame)) > len(columns):
        words.append("only the largest imbalance factor of each data set is drawn")
    return Chart("calibration", "Calibration", tuple(panels), (*words, *left, *notes), aspect=0.85)


def _series(results: list[TrialResult], label: str, number: int) -> Series:
    bins = np.array([r.calibration for r in results], dtype=float)  # [n, 3, bins]: images, sum of confidence, how many are right
    images = bins[:, 0].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence, right = bins[:, 1] / bins[:, 0], bins[:, 2] / bins[:, 0]
    kept = np.flatnonzero(images >= _FEWEST)
    x, y = (100 * np.array([np.nanmean(part[:, b]) for b in kept]) for part in (confidence, right))
    error = 100 * np.mean([expected_calibration_error(r.calibration) for r in results])
    name = f"{label} (ECE {error:.1f} %, n = {len(results)})"
    words = tuple(f"{images[b] / len(results):.0f} images per trial" for b in kept)
    return Series(name, floats(x), floats(y), colour=number, group=label, words=words)
