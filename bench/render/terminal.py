"""A table on a terminal, by rich."""

from __future__ import annotations

import io
import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.tables.table import Table

_STYLES = {0: "", 1: "bold", 2: "underline"}


def to_terminal(table: Table) -> str:
    """Best bold, second underlined, papers' figures dim; plain text where the output is no terminal."""
    shared = table.common_n()
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    drawn.add_column(f"\n{table.stub}", no_wrap=True)
    previous = ""
    for column in table.columns:
        head = column.group if column.group != previous else ""
        drawn.add_column(f"{head}\n{column.name if column.published else 'IF ' + column.name}", justify="right", no_wrap=True)
        previous = column.group
    for row in table.rows:
        cells = [
            Text(cell.words(n=shared is None), style="dim" if column.published or row.detail else _STYLES[cell.rank])
            for cell, column in zip(row.cells, table.columns, strict=True)
        ]
        drawn.add_row(Text(f"  {row.label}" if row.detail else row.label, style="dim" if row.detail else ""), *cells)
    buffer = io.StringIO()
    # As wide as the table wants: a reader can scroll, but nobody can read a cell that was cut.
    console = Console(file=buffer, width=1000, force_terminal=sys.stdout.isatty(), highlight=False)
    console.print(drawn)
    lines = [line.rstrip() for line in buffer.getvalue().rstrip("\n").split("\n")]
    return "\n".join([table.title, *lines, "", *footnotes(table)])


def footnotes(table: Table) -> list[str]:
    """What must be said under a table: spread and n, then its own notes."""
    shared = table.common_n()
    n = f"n = {shared} seeds" if shared and shared > 1 else "n = 1: no spread" if shared else "n beside each figure"
    return [f"mean ± standard deviation (n − 1) over seeds, {n}; best bold, second underlined", *table.notes]
