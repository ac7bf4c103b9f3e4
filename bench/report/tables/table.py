"""What a table contains, independently of how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.analysis import blocks, stats


@dataclass(frozen=True)
class Cell:
    """One figure with its spread, or a word. ``std`` divides by n − 1 and is NaN for n = 1.

    ``values`` are the figures behind the mean, by subset and seed, so that they can be paired with those of other cells.
    """

    mean: float | None = None
    std: float | None = None
    n: int = 0
    failed: int = 0  # trials of this cell that did not finish; they are never averaged
    text: str = ""
    collapsed: int = 0  # finished trials that predict one class for nearly everything; they are averaged and reported
    rank: int = 0  # 1 for the best of its column, 2 for the second, 0 for the others
    tied: bool = False  # not significantly different from the best of its column
    untested: bool = False  # not tested against the best of its column: too few shared seeds, or no spread
    values: Mapping[Any, float] = field(default_factory=dict, compare=False, repr=False)

    def words(self, spread: bool = True, n: bool = False) -> str:
        """``12.34 ± 0.56 (n=3)``; empty if nothing was measured."""
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
    """``group`` is printed once above neighbours that share it. A published column holds figures of a paper; the name of a plain
    column is not an imbalance factor. ``lower_is_better`` says how the column is ranked; with None, the table's default applies.
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
    """Rows of cells, with the notes needed to read them."""

    name: str
    title: str
    stub: str  # heading of the row labels
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    full: Table | None = None  # the table with all rows, if this is a summary; CSV and JSON have it

    def common_n(self) -> int | None:
        """The number of trials behind every measured cell, if it is the same for all."""
        counts = {c.n for row in self.rows for c in row.cells if c.n}
        return counts.pop() if len(counts) == 1 else None


def rank_columns(table: Table, lower_is_better: bool | None = None) -> Table:
    """Mark the best and the second-best mean of each measured column (equal means share a rank), and the figures that are not
    significantly different from the best. ``lower_is_better`` applies to columns that do not set it themselves.
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
    """`blocks.marks` of ``cells`` against the one at place ``best``."""
    pairs = {pair: i for i, pair in enumerate(dict.fromkeys(p for cell in cells for p in cell.values))}
    values = np.full((len(pairs), len(cells)), np.nan)
    for j, cell in enumerate(cells):
        for pair, value in cell.values.items():
            values[pairs[pair], j] = value
    return blocks.marks(blocks.by_draw(values, [draw for draw, _ in pairs]), best)
