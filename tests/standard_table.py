"""The tables of docs/standard-sets.md, from what is registered. ``python -m tests.standard_table`` writes them into the page."""

from __future__ import annotations

import re
from pathlib import Path

from lt_core.data.standard import ListFile, Standard
from lt_core.data.standard_sets import STANDARD

PAGE = Path(__file__).resolve().parents[1] / "docs" / "standard-sets.md"
_PLACE = re.compile(r"(?<=<!-- tables -->\n).*(?=<!-- end of tables -->)", re.S)


def tables() -> str:
    """Both tables: one line per set, and one line per list."""
    head = ("name", "set", "classes", "training images", "imbalance factor", "test set", "where to get it")
    sets = [
        (
            f"`{name}`", source.title, f"{source.classes:,}", f"{source.train.list.images:,}", f"{round(source.imbalance, 2):g}",
            f"{source.test.list.images:,}: {source.tests}", source.get,
        )
        for name, source in STANDARD.items()
    ]  # fmt: skip
    lists = [row for name, source in STANDARD.items() for row in _lists(name, source)]
    return f"\n{_table(head, sets)}\n\n{_table(('set', 'split', 'list', 'alternative', 'lines', 'checked against'), lists)}\n\n"


def _lists(name: str, source: Standard) -> list[tuple[str, ...]]:
    parts = {"training": source.train, "test": source.test, "validation": source.validation}
    return [
        (f"`{name}`", which, *map(_code, (part.list.name, part.annotations or part.folders or part.tree)),
         f"{part.list.images:,}", _held(part.list, which == "training" and source.by_class))
        for which, part in parts.items() if part
    ]  # fmt: skip


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


def _held(list_file: ListFile, by_class: bool) -> str:
    if not list_file.name:
        return f"pictures{' of each class' if by_class else ''}"
    if list_file.md5:
        return "md5 " + " or ".join(f"`{digest}`" for digest in list_file.md5)
    return "lines, classes, imbalance" + (f"; agreement with git `{list_file.git}` is reported" if list_file.git else "")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ("---",) * len(head), *rows])


def written() -> str:
    """The tables that the page has now."""
    found = _PLACE.search(PAGE.read_text())
    assert found, f"{PAGE} has no place for the tables"
    return found[0]


if __name__ == "__main__":
    PAGE.write_text(_PLACE.sub(lambda _: tables(), PAGE.read_text()))
