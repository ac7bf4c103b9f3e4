"""What a table is, before anybody decides how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.frames import reported
from lt_core.errors import UserError
from lt_core.result import OK


@dataclass(frozen=True)
class Cell:
    """One figure with its spread, or a word. ``std`` divides by n − 1 and is NaN for n = 1.

    ``values`` are the figures behind the mean by what makes them pairs with those of another cell: draw and seed.
    """

    mean: float | None = None
    std: float | None = None
    n: int = 0
    failed: int = 0  # trials of this cell that did not finish; never averaged
    text: str = ""
    collapsed: int = 0  # finished trials that predict one class for nearly everything; averaged, and told
    rank: int = 0  # 1 best of its column, 2 second, 0 neither
    tied: bool = False  # not told apart from the best of its column
    untested: bool = False  # no test against the best of its column: too few shared seeds, or no spread
    values: Mapping[Any, float] = field(default_factory=dict, compare=False, repr=False)

    def words(self, spread: bool = True, n: bool = False) -> str:
        """``12.34 ± 0.56 (n=3)``; nothing that was not measured."""
        if self.text:
            return self.text
        if self.mean is None:
            return f"{self.failed} failed" if self.failed else ""
        out = f"{self.mean:.2f}"
        if spread and self.n > 1:
            out += f" ± {self.std:.2f}"
        if n and self.n:
            out += f" (n={self.n})"
        out += f" ({self.failed} failed)" if self.failed else ""
        return out + (f" ({self.collapsed} collapsed)" if self.collapsed else "")


@dataclass(frozen=True)
class Column:
    """``group`` is printed once above neighbours that share it. A published column holds figures of a paper; the name of a
    plain one is no imbalance factor. ``lower_is_better`` says how it is ranked; None: it is not.
    """

    group: str
    name: str
    published: bool = False
    plain: bool = False
    lower_is_better: bool | None = None

    @property
    def heading(self) -> str:
        return self.name if self.published or self.plain else f"IF {self.name}"


@dataclass(frozen=True)
class Row:
    label: str
    cells: tuple[Cell, ...]
    detail: bool = False  # explains the row above it


@dataclass(frozen=True)
class Table:
    """Rows of cells, with what must be known to read them."""

    name: str
    title: str
    stub: str  # heading of the row labels
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)

    def common_n(self) -> int | None:
        """The number of trials behind every measured cell, if it is the same for all."""
        counts = {c.n for row in self.rows for c in row.cells if c.n}
        return counts.pop() if len(counts) == 1 else None


def rank_columns(table: Table, lower_is_better: bool | None = None) -> Table:
    """Mark the best and the second best mean of each measured column, equal means sharing a rank, and what is not told apart
    from the best. ``lower_is_better`` holds for columns that do not say so themselves.
    """
    rows = [list(row.cells) for row in table.rows]
    for j, column in enumerate(table.columns):
        lower = lower_is_better if column.lower_is_better is None else column.lower_is_better
        shown = [i for i, cells in enumerate(rows) if cells[j].mean is not None]
        figures = stats.settled([rows[i][j].mean for i in shown])  # type: ignore[misc]
        means = sorted(set(figures), reverse=not lower)
        if column.published or lower is None or len(means) < 2:
            continue
        places = [means.index(figure) + 1 for figure in figures]
        marks = _marks([rows[i][j] for i in shown], places.index(1))
        for i, place, tied, untested in zip(shown, places, *marks, strict=True):
            behind = place > 1
            rows[i][j] = replace(
                rows[i][j], rank=place if place <= 2 else 0, tied=behind and bool(tied), untested=behind and bool(untested)
            )
    return replace(table, rows=tuple(replace(r, cells=tuple(c)) for r, c in zip(table.rows, rows, strict=True)))


def _marks(cells: Sequence[Cell], best: int) -> tuple[np.ndarray, np.ndarray]:
    """`stats.marks` of ``cells`` against the one at place ``best``."""
    pairs = {pair: i for i, pair in enumerate(dict.fromkeys(p for cell in cells for p in cell.values))}
    values = np.full((len(pairs), len(cells)), np.nan)
    for j, cell in enumerate(cells):
        for pair, value in cell.values.items():
            values[pairs[pair], j] = value
    return stats.marks(values, best)


_COLUMN = ["dataset", "imbalance_type", "imbalance_factor"]
_BUDGET = ["recipe", "model", "epochs", "protocol"]  # one for a dataset
_DRAW = [  # one for a column
    "n_max", "counts", "validation", "class_order_seed", "label_fraction", "unlabelled_ratio", "unlabelled_imbalance_factor",
    "unlabelled_order", "unlabelled_labelled",
]  # fmt: skip


def one_budget(frame: pd.DataFrame, column: Sequence[str] = _COLUMN) -> tuple[pd.DataFrame, list[str]]:
    """The rows that may stand in one table, and notes on what they are and on what was left out.

    Figures of different recipes or lengths are not comparable within a dataset, nor figures of subsets drawn in
    different ways within a column: of each, the largest group stays. ``column``: keys that tell columns apart.

    Raises:
        UserError: there are no rows.
    """
    frame, notes = reported(frame)
    if frame.empty:
        raise UserError("the run has no trial yet: start it with `bench.py run`")
    kept = []
    for dataset, rows in frame.groupby("dataset", sort=False):
        rows, others = _largest(rows, _BUDGET)
        drawn = [_largest(cells, _DRAW) for _, cells in rows.groupby(list(column), sort=False, dropna=False)]
        rows = pd.concat([cells for cells, _ in drawn])
        kept.append(rows)
        notes.append(f"{dataset}: {budget_words(rows)}")
        notes.append(f"{dataset}: {measured_on(rows)}")
        for other in others + [left for _, rest in drawn for left in rest]:
            notes.append(f"{dataset}: {len(other)} trials of another budget are left out ({budget_words(other)})")
    return pd.concat(kept), notes


def _largest(frame: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """The largest group of ``frame`` by ``keys``, of equal ones that with the longest training; and the others."""
    groups = [rows for _, rows in frame.groupby(keys, sort=False, dropna=False)]
    groups.sort(key=lambda rows: (len(rows), rows["epochs"].iloc[0]), reverse=True)
    return groups[0], groups[1:]


def budget_words(frame: pd.DataFrame) -> str:
    """``recipe digits, model small_cnn, 40 epochs, figures of the last epoch``, and what was held out."""
    row = frame.iloc[0]
    held = sorted({int(v) for v in frame["validation"] if v})
    out = f", {' or '.join(map(str, held))} images a class held out for validation" if held else ""
    return f"recipe {row.recipe}, model {row.model}, {row.epochs} epochs, figures of the last epoch{out}"


def machines(frame: pd.DataFrame) -> list[str]:
    """The kinds of device behind the finished trials; on two of them the figures of one trial differ."""
    finished = frame[frame["status"] == OK]
    kinds = finished[["device_name", "threads", "precision"]].drop_duplicates().itertuples(index=False)
    words = [f"{name}, {threads:.0f} thread{'s' if threads > 1 else ''}, {precision}" for name, threads, precision in kinds]
    return sorted(words) or ["nothing yet"]


def measured_on(frame: pd.DataFrame) -> str:
    """The kinds of device in words."""
    return f"measured on {' and on '.join(machines(frame))}"


def columns_of(frame: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """(dataset, imbalance type, factor) → rows; datasets in order, factors from the largest down, as the papers print them."""
    cells = list(frame.groupby(_COLUMN, sort=False, dropna=False))
    places = {key: i for i, key in enumerate(dict.fromkeys((k[0], k[1]) for k, _ in cells))}
    return sorted(cells, key=lambda item: (places[item[0][0], item[0][1]], -item[0][2]))


def group_name(dataset: object, shape: object) -> str:
    """``cifar10``, or ``cifar10 (step)`` for a shape that is not exponential."""
    return str(dataset) if shape == "exp" else f"{dataset} ({shape})"


def names_without_common(
    labels: Sequence[str], rows: Mapping[str, str], everywhere: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Label → name of its row, and the parameters that all labels with parameters share, which are not repeated in the names.

    Args:
        rows: method → what a table calls it; another goes by its own name.
        everywhere: labels without parameters have the parameters too, at their defaults, and share none then.
    """
    given = {label: [p for p in label.partition("[")[2].rstrip("]").split(",") if p] for label in labels}
    some = [set(params) for params in given.values() if params or everywhere]
    common = set.intersection(*some) if some else set()
    names = {}
    for label, params in given.items():
        method, own = label.partition("[")[0], ",".join(p for p in params if p not in common)
        names[label] = rows.get(method, method) + (f" [{own}]" if own else "")
    return names, sorted(common)


def labels_in_order(frame: pd.DataFrame, first: Sequence[str]) -> list[str]:
    """Labels present, those in ``first`` first and in that order."""
    present = list(dict.fromkeys(frame["label"]))
    return [x for x in first if x in present] + sorted(x for x in present if x not in first)
