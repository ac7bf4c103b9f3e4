"""Learning curves: accuracy by epoch on the validation split and on the test set, with their spread over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.charts.spreads import named
from bench.report.plots.base import best, counted, data_columns, finished, floats, others, spread
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store

_PARTS = (("validation_accuracy", "validation split"), ("test_accuracy", "test set"))
_COLUMNS, _POINTS = 6, 100  # the most data columns, and points of a line


def draw(store: Store, only: str = "*") -> Chart:
    """Two panels per data column, or one where nothing was held out.

    Raises:
        UserError: no trial has a curve of at least two points.
    """
    frame, notes = finished(store, only)
    labels, left = best(frame, others(store, "curves"))
    columns = data_columns(frame)
    drawn = pd.concat([column.rows for column in columns[:_COLUMNS]])
    drawn = drawn.loc[drawn["label"].isin(labels), ["trial_id", "label"]]
    curves = store.curves()
    curves = curves[curves["trial_id"].isin(drawn["trial_id"])].merge(drawn, on="trial_id")
    panels, parts = [], set()
    for column in columns[:_COLUMNS]:
        points = curves[curves["trial_id"].isin(column.rows["trial_id"])]
        for name, words in _PARTS:
            found = points[points[name].notna()]
            series = tuple(
                made
                for number, label in enumerate(labels)
                if (made := _series(found[found["label"] == label], label, name, number))
            )
            if series:
                parts.add(name)
                panels.append(Panel(f"{column.name}, {words}", Axis("epoch"), Axis("accuracy (%)"), series))
    if not panels:
        raise UserError(f"{store.path} has no learning curve with two or more points, so there is nothing to draw")
    more = [f"only the first {_COLUMNS} of {len(columns)} data columns are drawn"] if len(columns) > _COLUMNS else []
    said = f"mean ± one standard deviation (n − 1) over trials, as {named(panels)}; tables have the figures of the last epoch"
    width = len(_PARTS) if len(parts) == len(_PARTS) else 3
    return Chart("curves", "Learning curves", tuple(panels), (said, *more, *left, *notes), columns=width)


def _series(points: pd.DataFrame, label: str, name: str, number: int) -> Series | None:
    """The curve of a method. Epochs that only some of its trials evaluated are left out."""
    found = (100 * points.set_index("epoch")[name]).groupby(level=0).agg(["mean", "std", "size"])
    found = found[found["size"] == found["size"].max()]
    if len(found) < 2:
        return None
    every = -(-len(found) // _POINTS)
    found = found.iloc[(len(found) - 1) % every :: every]  # always includes the last epoch
    half = spread(found["std"])
    return Series(
        f"{label} ({counted(found['size'])})", floats(found.index), floats(found["mean"]), low=floats(found["mean"] - half),
        high=floats(found["mean"] + half), colour=number, group=label, size=3,
    )  # fmt: skip
