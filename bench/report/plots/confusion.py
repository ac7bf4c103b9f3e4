"""Confusion matrices with classes from head to tail: cross-entropy, the best methods, and the differences between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.analysis.comparable import BASELINE
from bench.report.charts import Axis, Chart, Heat, Panel
from bench.report.plots.base import DataColumn, best, data_columns, finished, hardest, one_scale, others, records
from lt_core.errors import UserError
from lt_core.metrics import MATRIX_CLASSES

if TYPE_CHECKING:
    from bench.records.store import Store
    from lt_core.result import TrialResult

_METHODS = 3
_WRITTEN = 12  # up to this many classes, each cell shows its figure


def draw(store: Store, only: str = "*") -> Chart:
    """For the largest imbalance factor of each data set: the mean over trials, with each row in % of its class, and differences.

    Raises:
        UserError: the run has no finished trial, no records, or no record with a confusion matrix.
    """
    frame, notes = finished(store, only)
    labels, left = best(frame, others(store, "confusion"), _METHODS)
    columns = hardest(data_columns(frame))
    rows = pd.concat([column.rows for column in columns])
    found = records(store, rows[rows["label"].isin(labels)])
    without = {r.trial_id: len(r.train_counts) for results in found.values() for r in results if not r.confusion}
    found = {label: [r for r in results if r.confusion] for label, results in found.items()}
    panels = one_scale([panel for column in columns for panel in _column(column, labels, found)])
    many = _many(columns, without)
    if not panels and many:
        raise UserError(f"confusion matrices are not available for {many}: draw the error of each class with `plot per_class`")
    words = [f"mean over trials; each row sums to 100 %; difference: method − {BASELINE}, in points"]
    words += [f"left out: {many}"] if many else []
    if len(data_columns(frame)) > len(columns):
        words.append("only the largest imbalance factor of each data set is drawn")
    return Chart("confusion", "Confusion matrices, head to tail", panels, (*words, *left, *notes), smallest=16.0)


def _many(columns: list[DataColumn], without: dict[str, int]) -> str:
    """Which columns have trials ``without`` a matrix (trial id → number of classes), and why; empty if there are none."""
    found = {column.name: [without[i] for i in column.rows["trial_id"] if i in without] for column in columns}
    words = ", ".join(f"{name} ({max(classes):,} classes)" for name, classes in found.items() if classes)
    return f"{words}, because records of more than {MATRIX_CLASSES} classes keep only counts per class" if words else ""


def _column(column: DataColumn, labels: list[str], found: dict[str, list[TrialResult]]) -> list[Panel]:
    wanted = set(column.rows["trial_id"])
    mine = {label: [r for r in found.get(label, ()) if r.trial_id in wanted] for label in labels}
    mine = {label: results for label, results in mine.items() if results}
    if not mine:
        return []
    counts = next(iter(mine.values()))[0].train_counts
    order = np.argsort(-np.array(counts), kind="stable")
    names = tuple((f"{c}", f"{c} ({counts[c]})") for c in order)
    means = {label: np.mean([_rows(r)[np.ix_(order, order)] for r in results], axis=0) for label, results in mine.items()}
    first = next(iter(means))
    panels = [
        _panel(f"{column.name}: {label} (n = {len(mine[label])})", names, matrix, "of the class (%)", first=label == first)
        for label, matrix in means.items()
    ]
    if BASELINE in means:
        others = [label for label in means if label != BASELINE]
        panels += [
            _panel(
                f"{column.name}: {label} − {BASELINE}", names, means[label] - means[BASELINE], "difference (points)", True,
                first=label == others[0],
            )
            for label in others
        ]  # fmt: skip
    return panels


def _rows(result: TrialResult) -> np.ndarray:
    """The confusion matrix with rows in % of their class, NaN for a class without test images."""
    matrix = np.asarray(result.confusion, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100 * matrix / matrix.sum(axis=1, keepdims=True)


def _panel(
    title: str, names: tuple[tuple[str, str], ...], matrix: np.ndarray, unit: str, difference: bool = False, first: bool = False
) -> Panel:
    values = tuple(tuple(None if np.isnan(v) else round(float(v), 2) for v in row) for row in matrix)
    small = len(names) <= _WRITTEN
    words = tuple(tuple(map(_word, row)) for row in values) if small else ()
    across, down = zip(*names, strict=True)
    low, high = (None, None) if difference else (0.0, 100.0)
    heat = Heat(across, down, values, unit, words, low, high, diverging=difference)
    return Panel(title, Axis("predicted class"), Axis("true class (training images)"), heat=heat, starts_row=first)


def _word(value: float | None) -> str:
    return "" if value is None or not round(value) else f"{value:.0f}".replace("-", "−")
