"""The leaderboard as tables: one per data column, with columns of the reader's choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bench.analysis import stats
from bench.analysis.board_columns import BOARD_COLUMNS
from bench.analysis.comparable import given_features
from bench.analysis.leaderboard import in_words
from bench.records import HEADLINE
from bench.report.tables.table import Cell, Column, Row, Table, rank_columns
from lt_core.errors import UserError, unknown
from lt_core.labels import counted, matches
from lt_core.metrics import FEW, MANY, METRICS, TEST_PRIORS

#: What can be shown beside the figures of `METRICS`.
_EXTRAS = (
    "average_rank", "rank_interval", "chance_best", "gpu_hours", "published", "difference", "verdict", "paper",
    "relative_accuracy", "reference", "devices", "run", "command",
)  # fmt: skip
_NAMED = 4  # the most methods that a note lists; for more, it gives their number
DEFAULT = (HEADLINE, "many", "medium", "few", "ece", "seconds", "images_per_second", "gpu_hours", "average_rank", "rank_interval",
           "chance_best", "published", "difference", "verdict")  # fmt: skip
_MEANING = {
    "average_rank": "avg. rank: mean over the data columns of the method's suite, 1 is best",
    "chance_best": "rank, 95 % interval: of the rank in this data column; P(best): probability in % that no other method "
    "is better; both from the standard deviations and n of the figures",
    "published": "published: accuracy in % as printed in the paper; difference: measured − published, in points; verdict: "
    "reproduced (to half a point), within a point, off, not run, or of another budget than the paper's",
    "relative_accuracy": "rel. acc.: accuracy in % of that of plain cross-entropy on the same number of balanced images",
    "many": f"many, medium, few: accuracy on classes with more than {MANY}, {FEW} to {MANY}, fewer than {FEW} training images",
} | dict.fromkeys(
    TEST_PRIORS,
    "forward 50: accuracy on a test set in which the head is 50 times as frequent as the tail; backward 50: the reverse",
)

_WITHOUT = "{}: left out, because no trial here has a value"


def choose(text: str | None) -> tuple[str, ...]:
    """The columns that a user names, or the default ones.

    Raises:
        UserError: there is no such column.
    """
    known = [*METRICS, *_EXTRAS]
    columns = tuple(part.strip() for part in text.split(",")) if text else DEFAULT
    for column in columns:
        if column not in known:
            raise unknown("column", column, known)
    return columns


def build(
    board: pd.DataFrame, metric: str, columns: Sequence[str] = DEFAULT, sort: str | None = None, only: str | None = None
) -> list[Table]:
    """Tables of a `bench.analysis.leaderboard.leaderboard` frame that was ranked by ``metric``.

    Args:
        columns: the columns to show; a column without values is left out of a table.
        sort: metric to sort by, or ``average_rank`` [default: ``metric``].
        only: show the methods or labels that this matches. Ranks and marks still refer to all methods.

    Raises:
        UserError: there is no column ``sort``, or ``only`` matches nothing.
    """
    if sort is not None and sort not in [*METRICS, "average_rank"]:
        raise unknown("column to sort by", sort, [*METRICS, "average_rank"])
    fits = [only is None or matches(only, label) for label in board["label"]]
    if not any(fits):
        raise UserError(f"--only '{only}' matches none of the methods: {', '.join(dict.fromkeys(board['label']))}")
    board = board.assign(_shown=fits)
    wanted = [metric, *(column for column in columns if column != metric)]
    made = []
    for name, rows in board.groupby("column", sort=False):
        lower = sort == "average_rank" or (sort is not None and METRICS[sort].lower_is_better)
        if sort is not None:
            rows = rows.assign(_by=stats.settled(rows[sort].to_numpy(dtype=float)))
            rows = rows.sort_values("_by", ascending=lower, kind="stable", na_position="last")
        told = in_words(rows)
        shown = [column for column in wanted if column == metric or _any(told[column])]
        lines = [Row(row["label"], tuple(_cell(row, column, metric) for column in shown)) for _, row in told.iterrows()]
        budget = rows.iloc[0]
        epochs = counted(int(budget["epochs"]), "epoch")
        notes = [f"recipe {budget['recipe']}, model {budget['model']}, {epochs}; shares in %", *_sources(rows)]
        notes += given_features(rows)
        notes += dict.fromkeys(words for column, words in _MEANING.items() if column in shown)
        notes += [_WITHOUT.format(column) for column in wanted if column not in shown and columns is not DEFAULT]
        title = f"{name}: leaderboard by {METRICS[metric].title}"
        table = Table("leaderboard", title, "Method", tuple(map(_column, shown)), tuple(lines), tuple(notes))
        table = _with_marks(rank_columns(table), rows)
        if not rows["_shown"].all():
            notes.append(f"ranks and marks refer to all {len(rows)} methods of the data column")
        lines = [line for line, kept in zip(table.rows, rows["_shown"], strict=True) if kept]
        made += [replace(table, rows=tuple(lines), notes=tuple(notes))] if lines else []
    return made


def _sources(rows: pd.DataFrame) -> list[str]:
    """Notes on the runs and devices of a data column's rows, and on rows that are left out because of them."""
    measured = rows[rows["n"] > 0]
    groups = list(measured.groupby("devices", sort=False))
    runs = [dict.fromkeys(run for row in found["run"] for run in row) for _, found in groups]
    notes = [
        f"measured on {' and '.join(devices)}, in {', '.join(names)}" for (devices, _), names in zip(groups, runs, strict=True)
    ]
    if len(groups) > 1 or (measured["devices"].map(len) > 1).any():
        labels = [list(found["label"]) for _, found in groups]
        named = [", ".join(some) if len(some) <= _NAMED else f"{len(some)} methods" for some in labels]
        notes = [f"{note}: {words}" for note, words in zip(notes, named, strict=True)]
        notes.append("figures of the same trial differ slightly between these kinds of device")
    if len({name for names in runs for name in names}) > 1:
        notes.append("--columns run shows which run each row belongs to")
    return notes + [f"left out: {words}" for words in rows["left_out"].unique() if words]


def _any(values: pd.Series) -> bool:
    return bool((values.notna() & (values != "")).any())


def _column(name: str) -> Column:
    if name in METRICS:
        return Column("", METRICS[name].short, plain=True, lower_is_better=METRICS[name].lower_is_better)
    made = BOARD_COLUMNS[name]
    return Column("", made.narrow, published=name == "published", plain=True, lower_is_better=made.lower_is_better)


def _cell(row: pd.Series, column: str, metric: str) -> Cell:
    value = row[column]
    if isinstance(value, str):
        return Cell(text=value)
    if column == metric:
        failed, collapsed = int(row["failed"]), int(row["collapsed"])
        return Cell(None if pd.isna(value) else float(value), row[f"{metric}_std"], int(row["n"]), failed, collapsed=collapsed)
    if pd.isna(value):
        return Cell()
    if column == "chance_best":
        return Cell(text=f"{value:.0f}")
    if column == "difference":
        return Cell(text=f"{value:+.2f}")
    # A line only shows the spread of the figure that ranks; the files have the others.
    return Cell(float(value))


def _with_marks(table: Table, board: pd.DataFrame) -> Table:
    """``table`` with the board's marks, whose tests use the figures of all trials; the cells here do not have these."""
    rows = [
        replace(row, cells=(replace(row.cells[0], tied=bool(tied), untested=bool(untested)), *row.cells[1:]))
        for row, tied, untested in zip(table.rows, board["tied"], board["untested"], strict=True)
    ]
    return replace(table, rows=tuple(rows))
