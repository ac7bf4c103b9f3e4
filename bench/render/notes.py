"""What must be said under a table."""

from __future__ import annotations

from bench.tables.table import Table

#: Stands beside a figure that is not told apart from the best of its column.
TIED = "≈"


def footnotes(table: Table, marks: str = "best bold, second underlined") -> list[str]:
    """Spread and n, how the best is marked, then the table's own notes."""
    shared = table.common_n()
    if any(cell.tied for row in table.rows for cell in row.cells):
        marks += f"; {TIED} not told apart from the best (paired t-tests, Holm, α = 0.05)"
    if shared == 1:
        figures = "one trial a figure (n = 1): no spread"
    elif shared:
        figures = f"mean ± standard deviation (n − 1) over trials, n = {shared}"
    else:
        figures = "mean ± standard deviation (n − 1) over trials, n beside each figure"
    return [f"{figures}; {marks}", *table.notes]
