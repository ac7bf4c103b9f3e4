"""A method beside all others on each data column, as the chart of its page."""

from __future__ import annotations

import math
import re
import textwrap

import pandas as pd

from bench.analysis.comparable import BASELINE
from bench.records import HEADLINE
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import MOST
from lt_core.labels import counted
from lt_core.metrics import METRICS

ABOUT = "The method's balanced accuracy on each data column, with the range of all methods that were run on the same data."
_OTHERS, _FIRST, _BASELINE = "worst to best method", 1, 0  # the quiet line, and colours
_SPREAD = 0.6  # share of a row's height over which settings are spread
_ABOVE = 0.12  # how far above its row the name of a data column is written
_TOGETHER = 3  # settings that fit into the height of one row
_LINE = 40  # letters of such a name in one line, because a phone has no room for more


def comparison(mine: pd.DataFrame, board: pd.DataFrame) -> Chart | None:
    """One row per data column: the method's labels with one standard deviation, cross-entropy, and the range of all methods.

    Args:
        mine: the method's rows of the leaderboard ``board``.

    Returns:
        The chart, or None if no trial of the method finished.
    """
    done = board[board[HEADLINE].notna()]
    mine = mine[mine[HEADLINE].notna()]
    if mine.empty:
        return None
    labels, left = _labels(mine)
    columns = list(dict.fromkeys(mine["column"]))
    drawn = mine[mine["label"].isin(labels)].groupby("column")["label"].nunique()
    settings = [max(1, drawn.get(column, 0)) for column in columns]
    heights = [max(1.0, number / _TOGETHER) for number in settings]
    places = [sum(heights[:row]) + (height - 1) / 2 for row, height in enumerate(heights)]
    series = [
        s
        for column, place, height in zip(columns, places, heights, strict=True)
        for s in _row(done[done["column"] == column], labels, -place, height)
    ]
    ends = [x for s in series for x in s.x]
    low, high = max(0.0, 5 * math.floor(min(ends) / 5)), min(100.0, 5 * math.ceil(max(ends) / 5))
    names = [_name(column) for column in columns]
    for name, place, height, number in zip(names, places, heights, settings, strict=True):
        y = _ABOVE + _SPREAD * height * (0.5 - 0.5 / number) - place  # above the first setting
        series.append(Series(name, (low,), (y,), kind="points", listed=False, marks=False, words=(name,), written=True))
    lines = math.ceil(sum(heights))
    metric = METRICS[HEADLINE]
    panel = Panel(
        "", Axis(f"{metric.quantity} ({metric.unit})", low=low, high=high),
        Axis(low=0.4 - lines, high=0.9, ticks=()), tuple(series),
        rows=(*names, *[""] * (lines - len(names))),  # empty names, because a figure is as high as its rows need
    )  # fmt: skip
    return Chart(
        "comparison", "Beside all other methods", (panel,), ("± one standard deviation (n − 1) over trials", *left), columns=1
    )  # fmt: skip


def _labels(mine: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The method's labels to draw, and a note if some are left out."""
    sizes = mine.groupby("label", sort=False)[HEADLINE].agg(["size", "mean"])
    most = sizes.sort_values(["size", "mean"], ascending=False, kind="stable").index[: MOST - 1]
    labels = [str(label) for label in sizes.index if label in most]
    words = f"drawn: the {len(labels)} of {len(sizes)} settings that were run on the most data columns; the table has all"
    return labels, [words] if len(labels) < len(sizes) else []


def _row(rows: pd.DataFrame, labels: list[str], y: float, height: float) -> list[Series]:
    """What is drawn for the data column of ``rows``. Several labels of the method stand below each other."""
    here = [label for label in labels if label in set(rows["label"])]
    below = {label: _SPREAD * height * ((number + 0.5) / len(here) - 0.5) for number, label in enumerate(here)}
    others = [label for label in labels if label != BASELINE]
    colours = {label: _FIRST + number for number, label in enumerate(others)} | {BASELINE: _BASELINE}
    order = list(dict.fromkeys((BASELINE, *labels)))  # the method itself comes last, and so is not covered
    drawn = rows[rows["label"].isin(order)].sort_values("label", key=lambda column: column.map(order.index))
    figures = [_figure(row, y - below.get(row["label"], 0.0), colours[row["label"]]) for _, row in drawn.iterrows()]
    return [_range(rows, y), *(s for made in figures for s in made)]


def _range(rows: pd.DataFrame, y: float) -> Series:
    ends = float(rows[HEADLINE].min()), float(rows[HEADLINE].max())
    return Series(_OTHERS, ends, (y, y), kind="bar", colour=None, marks=False, width=3.0)


def _figure(row: pd.Series, y: float, colour: int) -> list[Series]:
    """The mean of one setting, and its spread if it has one."""
    label, mean, std = str(row["label"]), float(row[HEADLINE]), row[f"{HEADLINE}_std"]
    words = f"{row['column']}: rank {row['rank']:.0f}, {counted(int(row['n']), 'trial')}"
    point = Series(label, (mean,), (y,), kind="points", colour=colour, size=6.0, words=(words,))
    if pd.isna(std):
        return [point]
    ends = mean - float(std), mean + float(std)
    return [Series(label, ends, (y, y), kind="bar", colour=colour, marks=False, listed=False, width=1.6), point]


def _name(column: str) -> str:
    """The name of a data column without the settings of its model, in several lines if it is long.

    >>> _name("cifar10 IF 100, validation 10, frozen, frozen[size=112], epochs 10")
    'cifar10 IF 100, validation 10, frozen,\\nepochs 10'
    """
    parts = list(dict.fromkeys(re.sub(r"\[[^]]*\]", "", column).split(", ")))
    return "\n".join(textwrap.wrap(", ".join(parts), _LINE))
