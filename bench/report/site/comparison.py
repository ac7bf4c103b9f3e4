"""A method beside all others on each data column, as the chart of its page."""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import replace

import pandas as pd

from bench.analysis.comparable import BASELINE
from bench.records import HEADLINE
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import MOST
from lt_core.labels import counted
from lt_core.metrics import METRICS

ABOUT = "The method's balanced accuracy on each data column, with the range of all methods that were run on the same data."
_OTHERS, _FIRST, _BASELINE = "worst to best method", 1, 0  # the quiet line, and colours
_ABOVE = 0.12  # how far above its row the name of a data column is written
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
    sizes = mine.groupby("label", sort=False)[HEADLINE].agg(["size", "mean"])
    ordered = list(sizes.sort_values(["size", "mean"], ascending=False, kind="stable").index)
    labels = [label for label in sizes.index if label in ordered[: MOST - 1]]
    columns = list(dict.fromkeys(mine["column"]))
    shown = [label for label in dict.fromkeys((BASELINE, *labels)) if label in set(done["label"])]
    series = []
    for place, column in enumerate(columns):
        rows = done[done["column"] == column]
        series.append(_range(rows, -place, listed=place == 0))
        here = [label for label in shown if label in set(rows["label"])]
        apart = [label for label in here if label != BASELINE or BASELINE in labels]
        for label in here:
            beside = 0.5 * ((apart.index(label) + 0.5) / len(apart) - 0.5) if label in apart else 0.0
            colour = _BASELINE if label == BASELINE else _FIRST + [other for other in labels if other != BASELINE].index(label)
            series += _figure(rows[rows["label"] == label].iloc[0], -place - beside, colour)
    ends = [x for s in series for x in s.x]
    low, high = max(0.0, 5 * math.floor(min(ends) / 5)), min(100.0, 5 * math.ceil(max(ends) / 5))
    names = [_name(column) for column in columns]
    series += [
        Series(name, (low,), (_ABOVE - place,), kind="points", listed=False, marks=False, words=(name,), written=True)
        for place, name in enumerate(names)
    ]
    metric = METRICS[HEADLINE]
    panel = Panel(
        counted(len(columns), "data column"), Axis(f"{metric.quantity} on the test set ({metric.unit})", low=low, high=high),
        Axis(low=0.4 - len(columns), high=0.9, ticks=()), tuple(_listed_once(series)), rows=tuple(names),
    )  # fmt: skip
    notes = ["± one standard deviation (n − 1) over trials"]
    if len(labels) < len(sizes):
        notes.append(
            f"drawn: the {len(labels)} of {len(sizes)} settings that were run on the most data columns; the table has all"
        )
    return Chart("comparison", "Beside all other methods", (panel,), tuple(notes), columns=1)


def _range(rows: pd.DataFrame, y: float, listed: bool) -> Series:
    ends = float(rows[HEADLINE].min()), float(rows[HEADLINE].max())
    return Series(_OTHERS, ends, (y, y), kind="bar", colour=None, marks=False, width=4.0, listed=listed)


def _figure(row: pd.Series, y: float, colour: int) -> list[Series]:
    """The mean of one setting, and its spread if it has one."""
    label, mean, std = str(row["label"]), float(row[HEADLINE]), row[f"{HEADLINE}_std"]
    words = f"{row['column']}: rank {row['rank']:.0f}, {counted(int(row['n']), 'trial')}"
    point = Series(label, (mean,), (y,), kind="points", colour=colour, size=5.0, words=(words,))
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


def _listed_once(series: list[Series]) -> list[Series]:
    """The series, of which each name is listed in the legend at most once."""
    seen: set[str] = set()
    out = []
    for s in series:
        out.append(replace(s, listed=s.listed and s.key not in seen))
        seen |= {s.key} if s.listed else set()
    return out
