"""Tables to text, in the formats of `FORMATS`."""

from collections.abc import Callable

from bench.render import text
from bench.render.terminal import to_terminal
from bench.tables.table import Table

#: Format → renderer, and the ending of a file that holds it (none for what only a screen shows).
FORMATS: dict[str, tuple[Callable[[Table], str], str]] = {
    "terminal": (to_terminal, ""),
    "md": (text.to_markdown, ".md"),
    "csv": (text.to_csv, ".csv"),
    "latex": (text.to_latex, ".tex"),
    "json": (text.to_json, ".json"),
}

__all__ = ["FORMATS"]
