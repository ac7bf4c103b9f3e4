"""What must be said under a table."""

from __future__ import annotations

from bench.tables.table import Table


def footnotes(table: Table, marks: str = "best bold, second underlined") -> list[str]:
    """Spread and n, how the best is marked, then the table's own notes."""
    shared = table.common_n()
    if shared == 1:
        figures = "one trial a figure (n = 1): no spread"
    elif shared:
        figures = f"mean ± standard deviation (n − 1) over trials, n = {shared}"
    else:
        figures = "mean ± standard deviation (n − 1) over trials, n beside each figure"
    return [f"{figures}; {marks}", *table.notes]
