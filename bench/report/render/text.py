"""Tables as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from bench.records.foreign import in_markdown, row_in_csv
from bench.report.render.notes import footnotes, mark, typeset
from bench.report.tables.table import Cell, Table


def to_markdown(table: Table) -> str:
    """A pipe table, in which the best is bold and the second underlined."""
    heads = [in_markdown(f"{c.group} {c.heading}".strip()) for c in table.columns]
    rows = [
        [in_markdown(row.label), *(_mark(cell, table, "**", "**", "<u>", "</u>") for cell in row.cells)] for row in table.rows
    ]
    lines = [f"**{in_markdown(table.title)}**", "", "| " + " | ".join([table.stub, *heads]) + " |"]
    lines.append("|" + "---|" + "---:|" * len(heads))
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {in_markdown(note)}" for note in footnotes(table))])


def _mark(cell: Cell, table: Table, *marks: str) -> str:
    words = in_markdown(typeset(cell_words(cell, table)))
    return f"{marks[0]}{words}{marks[1]}" if cell.rank == 1 else f"{marks[2]}{words}{marks[3]}" if cell.rank == 2 else words


def cell_words(cell: Cell, table: Table) -> str:
    """A figure with its spread and its mark."""
    return f"{cell.words(n=table.common_n() is None)} {mark(cell)}".rstrip()


def _records(table: Table) -> list[dict[str, Any]]:
    """One record per cell that is not empty."""
    return [
        {
            "row": row.label, "group": column.group, "column": column.name, "published": column.published,
            "mean": cell.mean, "std": cell.std if cell.n > 1 else None, "n": cell.n, "failed": cell.failed,
            "collapsed": cell.collapsed,
            "rank": cell.rank or None, "tied": cell.tied, "untested": cell.untested,
            "text": cell.text,
        }
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.words()
    ]  # fmt: skip


def to_csv(table: Table) -> str:
    """One line per cell of the full table, with unrounded figures."""
    records = _records(table.full or table)
    out = io.StringIO()
    fields = [
        "row",
        "group",
        "column",
        "published",
        "mean",
        "std",
        "n",
        "failed",
        "collapsed",
        "rank",
        "tied",
        "untested",
        "text",
    ]
    writer = csv.DictWriter(out, fieldnames=fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(row_in_csv, records))
    return out.getvalue().rstrip("\n")


def to_json(table: Table) -> str:
    """The cells of `to_csv`, with title and notes."""
    table = table.full or table
    return json.dumps(
        {"name": table.name, "title": table.title, "notes": footnotes(table), "cells": _records(table)},
        indent=1,
        ensure_ascii=False,
    )
