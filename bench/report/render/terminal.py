"""A table on a terminal, by rich."""

from __future__ import annotations

import io
import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.records.foreign import printed
from bench.report.render.notes import footnotes, mark
from bench.report.tables.table import Table

_STYLES = {0: "", 1: "bold", 2: "underline"}
_MARKS = {0: " ", 1: "*", 2: "+"}


def to_terminal(table: Table) -> str:
    """Best bold, second underlined, papers' figures dim; where the output is no terminal, ``*`` and ``+`` instead."""
    return draw(table, styled=sys.stdout.isatty())


def draw(table: Table, styled: bool) -> str:
    """The table as text, with or without a terminal's styles."""
    shared = table.common_n()
    marked = any(mark(cell) for row in table.rows for cell in row.cells)
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    break_ = "\n" if any(column.group for column in table.columns) else ""
    drawn.add_column(f"{break_}{table.stub}", no_wrap=True)
    previous = ""
    for column in table.columns:
        head = column.group if column.group != previous else ""
        drawn.add_column(printed(f"{head}{break_}{column.heading}"), justify="right", no_wrap=True)
        previous = column.group
    for row in table.rows:
        cells = []
        for cell, column in zip(row.cells, table.columns, strict=True):
            words = cell.words(n=shared is None)
            if not column.published:
                words += ("" if styled else _MARKS[cell.rank]) + ((mark(cell) or " ") if marked else "")
            cells.append(Text(printed(words), style="dim" if column.published or row.detail else _STYLES[cell.rank]))
        label = printed(row.label)
        drawn.add_row(Text(f"  {label}" if row.detail else label, style="dim" if row.detail else ""), *cells)
    buffer = io.StringIO()
    # As wide as the table wants: a reader can scroll, but nobody can read a cell that was cut.
    console = Console(file=buffer, width=1000, force_terminal=styled, highlight=False)
    console.print(drawn)
    lines = [line.rstrip() for line in buffer.getvalue().rstrip().split("\n")]
    marks = "best bold, second underlined" if styled else "* best, + second"
    return "\n".join([printed(table.title), *lines, "", *map(printed, footnotes(table, marks))])
