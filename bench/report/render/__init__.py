"""Tables as text, in the formats of `FORMATS`."""

from collections.abc import Callable
from pathlib import Path

from bench.report.formats import ENDINGS
from bench.report.render import text
from bench.report.render.latex import to_latex
from bench.report.render.terminal import to_terminal
from bench.report.tables.table import Table
from lt_core.errors import unknown

_RENDERERS: dict[str, Callable[[Table], str]] = {
    "terminal": to_terminal,
    "md": text.to_markdown,
    "csv": text.to_csv,
    "latex": to_latex,
    "json": text.to_json,
}
#: Format → renderer, and the suffix of its files (empty for the terminal's).
FORMATS = {name: (_RENDERERS[name], ending) for name, ending in ENDINGS.items()}


def renderer(format: str) -> Callable[[Table], str]:
    """The function that turns a table into text of this ``format``.

    Raises:
        UserError: there is no such format.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    return FORMATS[format][0]


def write(table: Table, folder: Path) -> list[Path]:
    """Write ``table`` into ``folder`` in every file format, and return the files.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(exist_ok=True)
    files = {folder / f"{table.name}{ending}": render for render, ending in FORMATS.values() if ending}
    for file, render in files.items():
        file.write_text(render(table) + "\n")
    return list(files)


__all__ = ["FORMATS", "renderer", "write"]
