"""The page of claims: what papers say of methods, each beside what was measured."""

from __future__ import annotations

from pathlib import Path

from bench.report.render import renderer
from bench.report.tables.claims import VERDICT, build

_INTRODUCTION = """\
What papers say of methods for imbalanced classes, held against rows that this project measured. Each line is one pair of methods,
or of figures, on one data column: the difference, in points, and its 95 % interval over draws of the images and seeds. A claim
holds where every line is as claimed, holds in part where some are and none is the opposite, is mixed where lines disagree, and is
contradicted where some are the opposite and none is as claimed. These are our data, networks and budgets, which each line names
by its run; a paper's own may give another answer.

This page is written by `python bench.py claims --format md`, from the committed rows under `results/`.
"""


def page(folder: Path) -> str:
    """All claims as a Markdown page, by the runs under ``folder``."""
    made = build(folder)
    summary = [f"| {table.title} | {table.notes[0].removeprefix(VERDICT)} |" for table in made]
    head = ["# Claims, checked", _INTRODUCTION, "\n".join(["| claim | our rows say |", "|---|---|", *summary])]
    return "\n\n".join([*head, *map(renderer("md"), made)]) + "\n"
