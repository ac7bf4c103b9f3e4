"""The leaderboard as the page shows it: headings, and rows of cells with their sort keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from bench.analysis.board_columns import BOARD_COLUMNS
from bench.analysis.leaderboard import in_words, leaderboard, measured
from bench.records import HEADLINE
from lt_core.metrics import METRICS, Metric

_FIRST = HEADLINE
# Columns of the frame that are shown before and after the figures.
_BEFORE = ("label", _FIRST, "rank", "column")  # the figure that ranks comes early, so that a phone shows it
_OF_METHOD = ("column", _FIRST, "rank", "label")  # the same for the rows of one method, which differ in their data
_AFTER = (
    "average_rank", "rank_interval", "chance_best", "n", "failed", "collapsed", "seconds", "images_per_second", "gpu_hours",
    "published", "difference", "verdict", "paper", "relative_accuracy", "standing", "run", "devices",
)  # fmt: skip
#: Columns that are not in `BOARD_COLUMNS`: heading, meaning, and number of decimals, or None for words.
_OTHERS: dict[str, tuple[str, str, int | None]] = {
    "label": ("method", "label of the method, as in `--only` and `list methods`", None),
    "seconds": ("training (s)", "mean training time per trial in seconds", 1),
    "standing": ("rows", "official, or submitted by somebody else", None),
    "images_per_second": ("images/s", "mean number of training images per second", 0),
}


@dataclass(frozen=True)
class Heading:
    name: str
    about: str
    number: bool
    down: bool = False  # the first click sorts from the largest


@dataclass(frozen=True)
class Item:
    """One cell: its text, its spread, and the value to sort by."""

    text: str = ""
    spread: str = ""
    value: float | str | None = None


@dataclass(frozen=True)
class Line:
    items: tuple[Item, ...]
    label: str
    column: str
    command: str
    mark: str  # how it compares with the best of its data column: best, tied, untested, or empty


@dataclass(frozen=True)
class Board:
    headings: tuple[Heading, ...] = ()
    lines: tuple[Line, ...] = ()
    columns: tuple[str, ...] = field(default_factory=tuple)  # data columns to filter by

    @property
    def largest(self) -> str:
        """The data column with the most rows; of several, the first."""
        return max(self.columns, key=[line.column for line in self.lines].count)


def board(frame: pd.DataFrame) -> Board:
    """The leaderboard of the trials of ``frame`` by balanced accuracy."""
    return board_of(measured(leaderboard(frame, _FIRST)))


def board_of(rows: pd.DataFrame, one_method: bool = False) -> Board:
    """Rows of a `leaderboard` as the page shows them; columns without any value are left out.

    Args:
        one_method: whether all rows are of the same method, so that each is named by its data.
    """
    rows = in_words(rows)
    others = [metric for metric in METRICS.values() if not metric.on_request and metric.name not in _AFTER]
    shown = [metric.name for metric in others if not metric.complement]  # a complement repeats another column
    figures = {name: _words(METRICS[name]) for name in dict.fromkeys((_FIRST, *shown))}
    said = _OTHERS | {name: (made.heading, made.about, made.digits) for name, made in BOARD_COLUMNS.items()} | figures
    before = _OF_METHOD if one_method else _BEFORE
    wanted = {name: said[name] for name in dict.fromkeys((*before, *figures, *_AFTER)) if name in rows and _any(rows[name])}
    headings = tuple(
        Heading(words, about, digits is not None, name in figures and not METRICS[name].lower_is_better)
        for name, (words, about, digits) in wanted.items()
    )
    lines = tuple(
        Line(
            tuple(_item(row, name, digits) for name, (_, _, digits) in wanted.items()),
            str(row["label"]), str(row["column"]), str(row["command"]),
            "best" if row["rank"] == 1 else "tied" if row["tied"] else "untested" if row["untested"] else "",
        )
        for _, row in rows.iterrows()
    )  # fmt: skip
    return Board(headings, lines, tuple(dict.fromkeys(map(str, rows["column"]))))


def _words(metric: Metric) -> tuple[str, str, int]:
    unit = f" ({metric.unit})" if metric.unit else ""
    return f"{metric.short}{unit}", f"{metric.quantity}, mean ± standard deviation (n − 1)", 2


def _any(values: pd.Series) -> bool:
    if values.name in ("failed", "collapsed"):
        return bool((values > 0).any())
    if values.name in ("run", "devices", "standing"):  # a value that all rows share is under provenance
        return values.nunique() > 1
    return bool((values.notna() & (values != "")).any())


def _item(row: pd.Series, name: str, digits: int | None) -> Item:
    value = row[name]
    if digits is None:
        return Item(str(value), value=str(value))
    if pd.isna(value):
        return Item()
    std = row.get(f"{name}_std")
    spread = f"± {std:.{digits}f}" if std is not None and not pd.isna(std) else ""
    sign = "+" if name == "difference" else ""
    return Item(f"{value:{sign}.{digits}f}", spread, round(float(value), 6))
