"""Tables to text, in the formats of `FORMATS`."""

from collections.abc import Callable
from pathlib import Path

from bench.report.render import text
from bench.report.render.terminal import to_terminal
from bench.report.tables.table import Table

#: Format → renderer, and the ending of a file that holds it (none for what only a screen shows).
FORMATS: dict[str, tuple[Callable[[Table], str], str]] = {
    "terminal": (to_terminal, ""),
    "md": (text.to_markdown, ".md"),
    "csv": (text.to_csv, ".csv"),
    "latex": (text.to_latex, ".tex"),
    "json": (text.to_json, ".json"),
}


def write(table: Table, folder: Path) -> list[Path]:
    """``table`` in every format that a file can hold, in ``folder``; the files.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(exist_ok=True)
    files = {folder / f"{table.name}{ending}": render for render, ending in FORMATS.values() if ending}
    for file, render in files.items():
        file.write_text(render(table) + "\n")
    return list(files)


__all__ = ["FORMATS", "write"]
