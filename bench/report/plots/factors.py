"""Error against imbalance factor, one line per method, with one standard deviation over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.records.columns import factor_words
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.charts.spreads import named
from bench.report.plots.base import best, counted, data_columns, finished, floats, others, spread
from lt_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from bench.records.store import Store


def draw(store: Store, only: str = "*") -> Chart:
    """One panel per data set that was measured at two imbalance factors or more.

    Raises:
        UserError: there is no such data set.
    """
    frame, notes = finished(store, only)
    labels, left = best(frame, others(store, "factors"))
    columns = data_columns(frame)
    panels = []
    for group in dict.fromkeys(column.group for column in columns):
        mine = [column for column in columns if column.group == group]
        if len(mine) < 2:
            continue
        rows = frame.loc[[i for column in mine for i in column.rows.index]]
        ticks = tuple((column.factor, factor_words(column.factor)) for column in reversed(mine))
        there = set(rows["label"].unique())
        series = tuple(_series(rows, label, number) for number, label in enumerate(labels) if label in there)
        x = Axis("imbalance factor (largest class / smallest)", log=True, ticks=ticks)
        panels.append(Panel(group, x, Axis("error rate on the test set (%)", low=0), series))
    if not panels:
        raise UserError(f"{store.path} has only one imbalance factor per data set, but this plot needs at least two")
    said = f"{named(panels)}: ± one standard deviation (n − 1) over trials"
    return Chart("factors", "Error against imbalance factor", tuple(panels), (said, *left, *notes))


def _series(rows: pd.DataFrame, label: str, number: int) -> Series:
    found = (100 * (1 - rows[rows["label"] == label].set_index("imbalance_factor")["accuracy"])).groupby(level=0)
    made = found.agg(["mean", "std", "size"])
    half = spread(made["std"])
    return Series(
        f"{label} ({counted(made['size'])})", floats(made.index), floats(made["mean"]), low=floats(made["mean"] - half),
        high=floats(made["mean"] + half), colour=number, group=label,
    )  # fmt: skip
