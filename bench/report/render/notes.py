"""The notes under a table."""

from __future__ import annotations

import re

from bench.report.tables.table import Cell, Table

#: Marks a figure that is not significantly different from the best of its column.
TIED = "≈"
#: Marks a figure that no test compares with the best of its column.
UNTESTED = "?"


_NEGATIVE = re.compile(r"(?<![^\s(])-(?=\d)")  # a hyphen at the start of a number, and none within a word


def typeset(words: str) -> str:
    """The text of a cell for people, with true minus signs. Files for programs keep the hyphen, which they can parse.

    >>> typeset("-1.93 … +0.51"), typeset("0.5 ± 0.1"), typeset("2024-01-02")
    ('−1.93 … +0.51', '0.5 ± 0.1', '2024-01-02')
    """
    return _NEGATIVE.sub("−", words)


def mark(cell: Cell) -> str:
    """The mark next to a figure that compares it with the best of its column."""
    return TIED if cell.tied else UNTESTED if cell.untested else ""


def footnotes(table: Table, marks: str = "best bold, second underlined") -> list[str]:
    """The notes of a table: for figures, their standard deviation and n, and how the best are marked; then its own notes."""
    shared = table.common_n()
    cells = [cell for row in table.rows for cell in row.cells]
    if all(cell.mean is None for cell in cells):
        return list(table.notes)
    said = [marks] if any(cell.rank for cell in cells) else []
    if any(cell.tied for cell in cells):
        said.append(f"{TIED} not significantly different from the best (block model, Tukey's range, α = 0.05)")
    if any(cell.untested for cell in cells):
        said.append(f"{UNTESTED} not tested against the best: fewer than two shared seeds, or an identical difference in all")
    if shared == 1:
        figures = "one trial per figure (n = 1), so no standard deviation and no test"
    elif shared:
        figures = f"mean ± standard deviation (n − 1) over trials, n = {shared}"
    else:
        figures = "mean ± standard deviation (n − 1) over trials, n next to each figure"
    return ["; ".join([figures, *said]), *table.notes]
