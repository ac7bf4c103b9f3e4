"""Recall and precision of pseudo-labels and model by class, generation by generation (as figures 1 and 3 of Wei et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.records.columns import DATA, HEADINGS, describe
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import finished, floats, others, spread
from bench.report.tables.per_class import width_of
from lt_core.errors import UserError
from lt_core.labels import counted

if TYPE_CHECKING:
    import pandas as pd

    from bench.records.store import Store

_ROWS = (
    ("pseudo_recall", "pseudo-labels: recall (%)"),
    ("pseudo_precision", "pseudo-labels: precision (%)"),
    ("test_recall", "test set: recall (%)"),
    ("taken", "pseudo-labels taken (images)"),
)
_METHODS = 6  # the most rows of panels
_TICKS = 20  # up to this many classes, each has a tick
_PERCENT = tuple((float(tick), str(tick)) for tick in (0, 25, 50, 75, 100))


def draw(store: Store, only: str = "*") -> Chart:
    """One row of panels per method, with means and spread over trials; darker lines are later generations. Methods with a single
    generation are left out if others have more, and so are quantities that none of the drawn methods has.

    Raises:
        UserError: the run has no semi-supervised trial.
    """
    frame, notes = finished(store, only, HEADINGS)
    found = store.generations().merge(frame[["trial_id", "label", *DATA]], on="trial_id")
    if found.empty:
        raise UserError(f"{store.path} has no finished semi-supervised trial, so there is nothing to draw")
    columns = [rows for _, rows in found.groupby(DATA, sort=False, dropna=False)]
    found, where = columns[0], describe(columns[0].iloc[0], (rows.iloc[0] for rows in columns))
    if len(columns) > 1:
        notes = [f"only the first of {len(columns)} data columns is drawn", *notes]
    keys = ["trial_id", "round"]
    found = found.sort_values([*keys, "train_count", "class"], ascending=[True, True, False, True], kind="stable")
    found["rank"] = found.groupby(keys).cumcount()
    rounds = found.groupby("label", sort=False)["round"].nunique()
    several = rounds.index[rounds > 1] if (rounds > 1).any() else rounds.index
    found = found[found["label"].isin(several[:_METHODS])]
    kinds = [(column, words) for column, words in _ROWS if found[column].fillna(0).any()]
    panels = [
        _panel(label, found[found["label"] == label], column, words, first=column == kinds[0][0])
        for label in several[:_METHODS]
        for column, words in kinds
    ]
    title = "Recall and precision by class, generation by generation"
    width = width_of(found)
    said = [f"{where}; mean and standard deviation (n − 1) over trials"]
    said += [f"each point is the mean over {width} classes of similar size"] if width > 1 else []
    said += ["left out: methods with one generation"] if len(several) < len(rounds) else []
    said += (
        [f"drawn: the first {_METHODS} of {len(several)} methods; {others(store, 'generations')}"]
        if len(several) > _METHODS
        else []
    )
    return Chart("generations", title, tuple(panels), (*said, *notes), columns=len(kinds), least=13.5, aspect=0.8)


def _panel(label: str, found: pd.DataFrame, column: str, words: str, first: bool) -> Panel:
    last, width = max(1, int(found["round"].max())), width_of(found)
    series = []
    for generation, rows in found.groupby("round"):
        stretch, number = rows["rank"] // width, int(generation)
        of_trials = rows.groupby([stretch, "trial_id"])[column].mean() * (1 if column == "taken" else 100)
        values = of_trials.groupby(level=0).agg(["mean", "std"])
        half, most = spread(values["std"]), None if column == "taken" else 100
        series.append(
            Series(
                f"generation {number + 1}", floats(rows.groupby(stretch)["rank"].mean()), floats(values["mean"]),
                low=floats(np.clip(values["mean"] - half, 0, most)), high=floats(np.clip(values["mean"] + half, 0, most)),
                colour=number, shade=number / last, size=2.4, width=0.9,
            )
        )  # fmt: skip
    y = Axis(words, low=0) if column == "taken" else Axis(words, low=0, high=100, ticks=_PERCENT)
    classes = int(found["rank"].max()) + 1
    ticks = tuple((float(rank), str(rank + 1)) for rank in range(0, classes, max(1, -(-classes // _TICKS))))
    title = f"{label}, {counted(found['trial_id'].nunique(), 'trial')}"
    return Panel(title, Axis("class, most labels first", ticks=ticks), y, tuple(series), starts_row=first)
