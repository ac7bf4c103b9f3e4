"""Accuracy against class frequencies of the test set, from long-tailed as in training to long-tailed in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.analysis import blocks
from bench.analysis.stats import t_interval
from bench.records.columns import DRAW
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.charts.spreads import named
from bench.report.plots.base import best, data_columns, finished, floats, others
from lt_core.errors import UserError
from lt_core.metrics import TEST_PRIORS, accuracies_under

if TYPE_CHECKING:
    from bench.records.store import Store

_COLUMNS = 6  # the most data columns
_FACTORS = sorted({100.0, *TEST_PRIORS.values(), 1.0, 1 / 100}, reverse=True)
#: Tail over head, so that the axis runs from long-tailed as in training to the reverse.
_TILTS = [1 / factor for factor in _FACTORS]
_TICKS = tuple((tilt, f"{max(tilt, 1 / tilt):.0f}×") for tilt in (1 / 100, 1 / 25, 1 / 5, 1, 5, 25, 100))


def draw(store: Store, only: str = "*") -> Chart:
    """One panel per data column whose classes differ in size: Σ_c q_c · recall_c, as a mean over trials with its interval.

    Raises:
        UserError: there is no such data column, or the run has no recalls by class.
    """
    frame, notes = finished(store, only)
    labels, left = best(frame, others(store, "priors"))
    columns = [column for column in data_columns(frame) if column.factor > 1]
    if not columns:
        raise UserError(f"{store.path} has trials on balanced classes only, which have neither head nor tail")
    accuracies = _accuracies(store.per_class(), frame[frame["label"].isin(labels)])
    if accuracies.empty:
        raise UserError(f"{store.path} has no per-class recalls of these trials: copy the run's per_class.parquet there too")
    x = Axis("test set: ←\u00a0more\u00a0head · more\u00a0tail\u00a0→", log=True, ticks=_TICKS)
    panels = []
    for column in columns[:_COLUMNS]:
        of_label = accuracies[accuracies.index.isin(column.rows["trial_id"])].groupby(accuracies["label"])
        found = {str(label): rows for label, rows in of_label}
        series = tuple(_series(found[label], label, number) for number, label in enumerate(labels) if label in found)
        panels.append(Panel(column.name, x, Axis("accuracy (%)"), series))
    words = [
        "5×: five times as many test images of the largest class (left) or of the smallest (right); 1×: equal class sizes, "
        "which gives balanced accuracy",
        f"expected accuracy by the recalls on the test set; {named(panels)}: 95 % interval of the mean (Student's t) over "
        "subsets of the images, or over trials if there are fewer than three subsets",
    ]
    more = [f"only the first {_COLUMNS} of {len(columns)} data columns are drawn"] if len(columns) > _COLUMNS else []
    return Chart("priors", "Accuracy against class frequencies of the test set", tuple(panels), (*words, *more, *left, *notes))


def _accuracies(classes: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Trial → its label, its subset of the images, and its accuracy in % at each of `_FACTORS`."""
    tested = classes[classes["recall"].notna() & classes["trial_id"].isin(trials["trial_id"])]
    made = {
        trial_id: 100 * accuracies_under(rows["recall"].to_numpy(), rows["train_count"].tolist(), _FACTORS)
        for trial_id, rows in tested.groupby("trial_id", sort=False)
    }
    frame = pd.DataFrame.from_dict(made, orient="index", columns=_FACTORS)
    return frame.join(trials.set_index("trial_id")[["label", DRAW]])


def _series(accuracies: pd.DataFrame, label: str, number: int) -> Series:
    values = blocks.by_draw(accuracies[_FACTORS].to_numpy(), accuracies[DRAW].tolist())
    mean = values.mean(axis=0)
    ends = [t_interval(column) or (middle, middle) for column, middle in zip(values.T, mean, strict=True)]
    low, high = np.clip(np.array(ends).T, 0, 100)
    return Series(
        f"{label} (n = {len(accuracies)})", floats(_TILTS), floats(mean), low=floats(low), high=floats(high), colour=number,
        group=label, size=3,
    )  # fmt: skip
