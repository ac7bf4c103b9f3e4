"""Balanced accuracy against training time, with the Pareto front: methods that no other method beats in both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from bench.analysis.stats import settled
from bench.records.columns import MACHINE
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import DataColumn, best, data_columns, finished, floats, spread
from lt_core.errors import UserError
from lt_core.labels import counted

if TYPE_CHECKING:
    from bench.records.store import Store


def draw(store: Store, only: str = "*") -> Chart:
    """One panel per data column, with the times of the machine that ran most of its trials.

    Raises:
        UserError: no finished trial has a training time.
    """
    frame, notes = finished(store, only)
    frame = frame[frame["train_seconds"] > 0]
    if frame.empty:
        raise UserError(f"{store.path} has no finished trial with a recorded training time, so there is nothing to draw")
    labels, left = best(frame)
    made = [_panel(column, labels) for column in data_columns(frame)]
    words = "bars: ± one standard deviation (n − 1) over trials; the line joins the methods that no other method beats in both"
    quiet = ["grey: the other methods"] if left else []
    said = tuple(dict.fromkeys(note for _, others in made for note in others))
    return Chart(
        "pareto", "Balanced accuracy against training time", tuple(panel for panel, _ in made),
        (words, *quiet, *said, *left, *notes),
    )  # fmt: skip


def front(points: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``points`` (seconds, score) that no other beats: in order of seconds, each scores more than all before it."""
    points = points.assign(score=settled(points["score"].to_numpy()))
    ordered = points.sort_values(["seconds", "score"], ascending=[True, False], kind="stable")
    return ordered[ordered["score"] > ordered["score"].cummax().shift(fill_value=float("-inf"))]


def _panel(column: DataColumn, labels: list[str]) -> tuple[Panel, list[str]]:
    groups = [rows for _, rows in column.rows.groupby(MACHINE, sort=False, dropna=False)]
    rows = max(groups, key=len)
    others = len(column.rows) - len(rows)
    notes = [f"{column.name}: {counted(others, 'trial')} on other machines left out"] if others else []
    by_label = rows.groupby("label", sort=False)
    points = pd.DataFrame(
        {
            "seconds": by_label["train_seconds"].mean(),
            "score": 100 * by_label["balanced_accuracy"].mean(),
            "std": spread(100 * by_label["balanced_accuracy"].std()),
            "n": by_label.size(),
        }
    )
    ahead = front(points)
    series = [
        Series(
            "Pareto front", floats(ahead["seconds"]), floats(ahead["score"]), kind="step", colour=None, marks=False, dashed=True
        )
    ]
    quiet = points[~points.index.isin(labels)]
    if len(quiet):
        names = tuple(map(str, quiet.index))
        series.append(
            Series(
                "other methods", floats(quiet["seconds"]), floats(quiet["score"]), kind="points", colour=None, size=3, words=names
            )
        )
    for number, label in enumerate(labels):
        if label in points.index:
            at = points.loc[label]
            series.append(
                Series(
                    f"{label} (n = {at['n']:.0f})", floats([at["seconds"]]), floats([at["score"]]), kind="points",
                    error=floats([at["std"]]), colour=number, group=label, size=6,
                )
            )  # fmt: skip
    return Panel(column.name, _seconds(points["seconds"]), Axis("balanced accuracy on the test set (%)"), tuple(series)), notes


def _seconds(values: pd.Series) -> Axis:
    """The axis of time: logarithmic if one method takes more than ten times as long as another."""
    low, high, title = float(values.min()), float(values.max()), "training time per trial (s)"
    if high <= 10 * low:
        return Axis(title)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    return Axis(title, log=True, ticks=tuple((tick, f"{tick:g}") for tick in ticks if low / 1.5 <= tick <= 1.5 * high))
