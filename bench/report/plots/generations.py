"""Recall and precision of pseudo-labels and model by class, generation by generation (as figures 1 and 3 of Wei et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.records.columns import DATA, HEADINGS, describe
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import finished, floats
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


def draw(store: Store, only: str = "*") -> Chart:
    """A row of panels a method, means over trials; the darker the line, the later the generation.

    Raises:
        UserError: the run has no semi-supervised trial.
    """
    frame, notes = finished(store, only, HEADINGS)
    found = store.generations().merge(frame[["trial_id", "label", *DATA]], on="trial_id")
    if found.empty:
        raise UserError(f"{store.path} has no semi-supervised trial that is finished: there is nothing to draw")
    columns = [rows for _, rows in found.groupby(DATA, sort=False, dropna=False)]
    found, where = columns[0], describe(columns[0].iloc[0], (rows.iloc[0] for rows in columns))
    if len(columns) > 1:
        notes = [f"drawn: the first of {len(columns)} data columns", *notes]
    keys = ["trial_id", "round"]
    found = found.sort_values([*keys, "train_count", "class"], ascending=[True, True, False, True], kind="stable")
    found["rank"] = found.groupby(keys).cumcount()
    labels = list(dict.fromkeys(found["label"]))
    panels = [
        _panel(label, found[found["label"] == label], column, words, legend=place == 0 or column == "taken")
        for place, (label, (column, words)) in enumerate((a, b) for a in labels for b in _ROWS)
    ]
    title = "Recall and precision by class, generation by generation"
    width = width_of(found)
    joined = [f"a point is the mean over {width} classes that are neighbours by size"] if width > 1 else []
    notes = [f"{where}; means over trials", *joined, *notes]
    return Chart("generations", title, tuple(panels), tuple(notes), columns=len(_ROWS), size=(3.2, 2.5))


def _panel(label: str, found: pd.DataFrame, column: str, words: str, legend: bool) -> Panel:
    last, width = max(1, int(found["round"].max())), width_of(found)
    series = []
    for generation, rows in found.groupby("round"):
        stretches = rows.groupby(rows["rank"] // width)
        values = stretches[column].mean() * (1 if column == "taken" else 100)
        number = int(generation)
        series.append(
            Series(
                f"generation {number + 1}", floats(stretches["rank"].mean()), floats(values),
                shade=0.15 + 0.85 * number / last, size=3, width=1.5,
            )
        )  # fmt: skip
    y = Axis(words, low=0, high=None if column == "taken" else 105)
    title = f"{label}, {counted(found['trial_id'].nunique(), 'trial')}"
    return Panel(title, Axis("class, most labels to fewest"), y, tuple(series), legend=legend)
