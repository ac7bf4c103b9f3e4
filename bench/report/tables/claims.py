"""Claims of papers, each with what was measured: a table for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.analysis.claims import Claim, Evidence, claims, evidence, verdict
from bench.report.tables.table import Cell, Column, Row, Table

_HEADS = ("data", "difference", "95 % interval", "n", "says", "run")
_INTRODUCTION = """\
What papers say of methods for imbalanced classes, held against rows that this project measured. Each line is one pair of methods,
or of figures, on one data column: the difference, in points, and its 95 % interval over draws of the images and seeds. A claim
holds where every line is as claimed, holds in part where some are and none is the opposite, is mixed where lines disagree, and is
contradicted where some are the opposite and none is as claimed. These are our data, networks and budgets, which each line names
by its run; a paper's own may give another answer.

This page is written by `python bench.py claims --format md`, from the committed rows under `results/`.
"""


def build(folder: Path) -> list[Table]:
    """One table a claim, with what the runs under ``folder`` say of it."""
    return [_table(number, claim, evidence(claim, folder)) for number, claim in enumerate(claims(), 1)]


def page(folder: Path) -> str:
    """All claims as a Markdown page."""
    from bench.report.render import renderer

    made = build(folder)
    words = {table.title: table.notes[0].split(": ", 1)[1] for table in made}
    summary = [f"| {title} | {word} |" for title, word in words.items()]
    head = ["# Claims, checked", _INTRODUCTION, "\n".join(["| claim | our rows say |", "|---|---|", *summary])]
    return "\n\n".join([*head, *map(renderer("md"), made)]) + "\n"


def _table(number: int, claim: Claim, found: Sequence[Evidence]) -> Table:
    rows = tuple(
        Row(
            one.pair,
            tuple(Cell(text=word) for word in (one.data, f"{one.difference:+.2f}", _ends(one), f"{one.n}", one.verdict, one.run)),
        )
        for one in found
    )
    missing = sorted({check.run for check in claim.checks} - {one.run for one in found})
    notes = [f"verdict: {verdict(found)}", f"source: {claim.source}"]
    notes += [claim.remark] if claim.remark else []
    notes += [f"not measured: {', '.join(missing)}"] if missing else []
    heads = tuple(Column("", head, plain=True) for head in _HEADS)
    return Table(f"claim_{number}", f"{number}. {claim.claim}", "Compared", heads, rows, tuple(notes))


def _ends(one: Evidence) -> str:
    return "none" if one.interval is None else f"{one.interval[0]:+.2f} … {one.interval[1]:+.2f}"
