"""Claims of papers: a table for each, with what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.analysis.claims import Claim, Evidence, claims, evidence, verdict
from bench.report.tables.cells import interval_words
from bench.report.tables.table import Cell, Column, Row, Table

VERDICT = "verdict: "  # the first note of each table
_HEADS = ("data", "difference", "95 % interval", "n", "outcome", "run")


def build(folder: Path) -> list[Table]:
    """One table per claim, with what the runs under ``folder`` say about it."""
    return [_table(number, claim, evidence(claim, folder)) for number, claim in enumerate(claims(), 1)]


def _table(number: int, claim: Claim, found: Sequence[Evidence]) -> Table:
    rows = tuple(
        Row(
            one.pair,
            tuple(
                Cell(text=word)
                for word in (one.data, f"{one.difference:+.2f}", interval_words(one.interval), f"{one.n}", one.verdict, one.run)
            ),
        )
        for one in found
    )
    missing = sorted({check.run for check in claim.checks} - {one.run for one in found})
    notes = [f"{VERDICT}{verdict(found)}", f"source: {claim.source}"]
    notes += [claim.remark] if claim.remark else []
    notes += [f"not measured: {', '.join(missing)}"] if missing else []
    heads = tuple(Column("", head, plain=True) for head in _HEADS)
    return Table(f"claim_{number}", f"{number}. {claim.claim}", "Compared", heads, rows, tuple(notes))
