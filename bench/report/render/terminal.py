"""A table on a terminal, drawn with rich."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.records.foreign import printed
from bench.report.render.notes import footnotes, mark, typeset
from bench.report.tables.table import Row, Table

_STYLES = {0: "", 1: "bold", 2: "underline"}
_MARKS = {0: " ", 1: "*", 2: "+"}
_BETWEEN = 4  # characters between columns
_WIDEST = 1000


def to_terminal(table: Table, elsewhere: int | None = None) -> str:
    """A table for standard output. On a terminal, the best is bold, the second underlined and papers' figures are dim, and
    columns that do not fit the width continue below; elsewhere, the best has a ``*`` and the second a ``+``.

    Args:
        elsewhere: the width in characters if standard output is not a terminal; by default as wide as the table is.
    """
    there = sys.stdout.isatty()
    return draw(table, styled=there, width=shutil.get_terminal_size().columns if there else elsewhere)


def draw(table: Table, styled: bool, width: int | None = None) -> str:
    """The table as text, with or without a terminal's styles; ``width``: of the terminal, in characters."""
    shared = table.common_n()
    marked = any(mark(cell) for row in table.rows for cell in row.cells)
    rows = [_texts(table, row, styled, shared is None, marked) for row in table.rows]
    stub = max(len(text) for text in (table.stub, *(row[0].plain for row in rows)))
    widths = [
        _BETWEEN + max([len(column.heading), len(column.group), *(len(row[place + 1].plain) for row in rows)])
        for place, column in enumerate(table.columns)
    ]
    blocks = _blocks(widths, [column.group for column in table.columns], (width or _WIDEST) - stub)
    lines = [line for block in blocks for line in _drawn(table, rows, block, styled)]
    marks = "best bold, second underlined" if styled else "* best, + second"
    return "\n".join([printed(table.title), *lines, "", *map(printed, footnotes(table, marks))])


def _texts(table: Table, row: Row, styled: bool, counted: bool, marked: bool) -> list[Text]:
    """The label and the cells of a row; ``counted`` adds the numbers of trials, and ``marked`` space for a mark."""
    label = printed(row.label)
    texts = [Text(f"  {label}" if row.detail else label, style="dim" if row.detail else "")]
    for cell, column in zip(row.cells, table.columns, strict=True):
        words = typeset(cell.words(n=counted))
        if not column.published:
            words += ("" if styled else _MARKS[cell.rank]) + ((mark(cell) or " ") if marked else "")
        texts.append(Text(printed(words), style="dim" if column.published or row.detail else _STYLES[cell.rank]))
    return texts


def _blocks(widths: Sequence[int], groups: Sequence[str], room: int) -> list[list[int]]:
    """Blocks of columns to print side by side: as many as there is ``room`` for, with a group kept together if it fits.

    >>> _blocks([10, 10, 10, 10], ["a", "a", "b", "b"], room=35)
    [[0, 1], [2, 3]]
    >>> _blocks([10, 10, 10, 10], ["a", "a", "a", "b"], room=25)
    [[0, 1], [2, 3]]
    """
    blocks: list[list[int]] = [[]]
    for _, members in groupby(range(len(widths)), key=lambda place: groups[place]):
        group = list(members)
        left = room - sum(widths[place] for place in blocks[-1])
        if left < sum(widths[place] for place in group) <= room and blocks[-1]:
            blocks.append([])
        for place in group:
            if blocks[-1] and sum(widths[other] for other in (*blocks[-1], place)) > room:
                blocks.append([])
            blocks[-1].append(place)
    return blocks


def _drawn(table: Table, rows: Sequence[Sequence[Text]], places: Sequence[int], styled: bool) -> list[str]:
    """The lines of the columns at ``places``."""
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    break_ = "\n" if any(column.group for column in table.columns) else ""
    drawn.add_column(Text(f"{break_}{table.stub}"), no_wrap=True)
    previous = ""
    for column in (table.columns[place] for place in places):
        head = column.group if column.group != previous else ""
        # As Text, because rich takes brackets in a string, such as [cb_beta=0.9], for a style.
        drawn.add_column(Text(printed(f"{head}{break_}{column.heading}")), justify="right", no_wrap=True)
        previous = column.group
    for row in rows:
        drawn.add_row(row[0], *(row[place + 1] for place in places))
    buffer = io.StringIO()
    # As wide as the columns need: a reader can scroll, but cannot read a cell that was cut.
    Console(file=buffer, width=_WIDEST, force_terminal=styled, highlight=False).print(drawn)
    return [line.rstrip() for line in buffer.getvalue().rstrip().split("\n")]
