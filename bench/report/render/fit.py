"""The width and height of a table in LaTeX, estimated without TeX, and how it is split into pages."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from bench.report.render.text import cell_words
from bench.report.tables.table import Cell, Column, Row, Table

# All lengths are in points.
#: Widths of a column, and of a page with two columns, in the class article; those of IEEE, CVPR and ACM are wider.
COLUMN, PAGE = 229.0, 469.0
GAP = 4.0  # on each side of a cell
INDENT = "\u2003"  # before a row that explains the one above it
_SIZE = 8.5  # width of a letter that is as wide as it is high (footnotesize)
_WRAPPED = 112.0  # largest width of a cell whose words are wrapped
_LINES, _HEAD = 44, 5  # lines of a page without caption and notes, and lines of a table's head


class Widths:
    """The widths of a table's cells, in points, estimated from the letters of Computer Modern."""

    def __init__(self, table: Table, wrapped: bool) -> None:
        self.most = _WRAPPED if wrapped else float("inf")
        self.table = table
        self.stub = min(self.most, max(map(extent, [table.stub, *(label(row) for row in table.rows)])))
        self.columns = [self._column(column, [row.cells[j] for row in table.rows]) for j, column in enumerate(table.columns)]

    def _column(self, column: Column, cells: Sequence[Cell]) -> float:
        words = [extent(cell_words(cell, self.table)) * (1.15 if cell.rank == 1 else 1) for cell in cells]
        return max(min(self.most, max(words, default=0.0)), *map(extent, column.name.split() or [""]))

    def of(self, chunk: Sequence[int]) -> float:
        """The width of the table with the columns ``chunk`` alone."""
        spans = 0.0
        for group, items in itertools.groupby(chunk, key=lambda j: self.table.columns[j].group):
            members = list(items)
            spans += max(extent(group) + 2 * GAP, sum(self.columns[j] + 2 * GAP for j in members))
        return self.stub + 2 * GAP + spans

    def lines(self, row: Row, chunk: Sequence[int]) -> int:
        """How many lines a row takes."""
        texts = [(label(row), self.stub), *((cell_words(row.cells[j], self.table), self.columns[j]) for j in chunk)]
        return max(math.ceil(1.1 * extent(text) / width) if extent(text) > width + 0.1 else 1 for text, width in texts)


def pages(table: Table, widths: Widths, room: float) -> Iterator[list[tuple[list[Row], list[int]]]]:
    """The pages of a table: on each, the rows and columns of the parts that are placed below one another."""
    page: list[tuple[list[Row], list[int]]] = []
    left = _LINES
    for chunk in _chunks(len(table.columns), widths, room):
        rows: list[Row] = []
        for row in table.rows:
            needed = widths.lines(row, chunk) + (0 if rows else _HEAD)
            if needed > left and (rows or page):
                page += [(rows, chunk)] if rows else []
                yield page
                page, rows, left = [], [], _LINES
                needed = widths.lines(row, chunk) + _HEAD
            rows.append(row)
            left -= needed
        page.append((rows, chunk))
    yield page


def _chunks(columns: int, widths: Widths, room: float) -> Iterator[list[int]]:
    """Groups of columns that fit side by side."""
    chunk: list[int] = []
    for j in range(columns):
        if chunk and widths.of([*chunk, j]) > room:
            yield chunk
            chunk = []
        chunk.append(j)
    yield chunk


def label(row: Row) -> str:
    """The label of a row, indented if it explains the row above it."""
    return f"{INDENT}{row.label}" if row.detail else row.label


def extent(text: str) -> float:
    """The width of a line in footnotesize, in points."""
    return _SIZE * sum(map(_letter, text))


def _letter(letter: str) -> float:
    if letter in "iljtfrI.,:;'|!()[]/-":
        return 0.37
    if letter in "mwMWQ%@…—±≈≤≥−→×+=<>" or letter == INDENT:
        return 0.85
    return 0.35 if letter == " " else 0.73 if letter.isupper() else 0.53
