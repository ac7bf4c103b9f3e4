"""The page of claims: what papers say about methods, next to what was measured."""

from __future__ import annotations

from pathlib import Path

from bench.report.render import renderer
from bench.report.tables.claims import VERDICT, build

_INTRODUCTION = """\
This page compares claims that papers make about methods for imbalanced classes with results that this project measured. Each row
is one pair of methods, or of figures, on one data column, with the difference in points and its 95 % interval over subsets of
the images, or over seeds too if there are fewer than three subsets. A claim holds if every row is as claimed, holds in part if
some rows are and none shows the opposite, is mixed if rows disagree, and is contradicted if some rows show the opposite and none
is as claimed. The results hold for the data, networks and budgets of each row's run; under a paper's own conditions, the answer
may differ.

`python bench.py claims --format md` writes this page from the committed rows under `results/`.
"""


def page(folder: Path) -> str:
    """All claims as a Markdown page, checked against the runs under ``folder``."""
    made = build(folder)
    summary = [f"| {table.title} | {table.notes[0].removeprefix(VERDICT)} |" for table in made]
    head = ["# Claims checked", _INTRODUCTION, "\n".join(["| claim | our result |", "|---|---|", *summary])]
    return "\n\n".join([*head, *map(renderer("md"), made)]) + "\n"
