"""Tables as Markdown, LaTeX (booktabs), CSV and JSON."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import Any

from bench.records.foreign import in_markdown, printed, row_in_csv
from bench.report.render.notes import TIED, footnotes, mark
from bench.report.tables.table import Cell, Table


def to_markdown(table: Table) -> str:
    """A pipe table; best bold, second underlined."""
    heads = [in_markdown(f"{c.group} {c.heading}".strip()) for c in table.columns]
    rows = [
        [in_markdown(row.label), *(_mark(cell, table, "**", "**", "<u>", "</u>") for cell in row.cells)] for row in table.rows
    ]
    lines = [f"**{in_markdown(table.title)}**", "", "| " + " | ".join([table.stub, *heads]) + " |"]
    lines.append("|" + "---|" + "---:|" * len(heads))
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {in_markdown(note)}" for note in footnotes(table))])


def _mark(cell: Cell, table: Table, *marks: str) -> str:
    words = in_markdown(_words(cell, table))
    return f"{marks[0]}{words}{marks[1]}" if cell.rank == 1 else f"{marks[2]}{words}{marks[3]}" if cell.rank == 2 else words


def _words(cell: Cell, table: Table) -> str:
    return f"{cell.words(n=table.common_n() is None)} {mark(cell)}".rstrip()


_TEX = str.maketrans({
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    TIED: r"$\approx$", "∞": r"$\infty$", "α": r"$\alpha$", "μ": r"$\mu$", "λ": r"$\lambda$", "≤": r"$\leq$", "…": r"\dots{}",
    "·": r"$\cdot$", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "ⁿ": "$^n$",
    "±": r"$\pm$", "β": r"$\beta$", "γ": r"$\gamma$", "τ": r"$\tau$", "×": r"$\times$", "−": "$-$", "–": "--", "→": r"$\to$",
})  # fmt: skip


def _tex(text: str) -> str:
    return printed(text).translate(_TEX)


def to_latex(table: Table) -> str:
    """A ``table`` environment that needs the booktabs package and nothing else."""
    width = len(table.columns)
    groups = [(g, len(list(items))) for g, items in itertools.groupby(table.columns, key=lambda c: c.group)]
    rules, start = [], 2
    for _, size in groups:
        rules.append(rf"\cmidrule(lr){{{start}-{start + size - 1}}}")
        start += size
    spans = [rf"\multicolumn{{{size}}}{{c}}{{{_tex(g)}}}" for g, size in groups]
    heads = [" & ".join(["", *spans]) + r" \\", " ".join(rules)]
    lines = [
        r"\begin{table}", r"\centering", rf"\caption{{{_tex(table.title)}. {_tex('; '.join(footnotes(table)))}.}}",
        rf"\begin{{tabular}}{{l{'r' * width}}}", r"\toprule",
        *(heads if any(group for group, _ in groups) else []),
        " & ".join([_tex(table.stub), *(_tex(c.name) for c in table.columns)]) + r" \\", r"\midrule",
    ]  # fmt: skip
    for row in table.rows:
        cells = []
        for cell in row.cells:
            words = _tex(_words(cell, table))
            cells.append(rf"\textbf{{{words}}}" if cell.rank == 1 else rf"\underline{{{words}}}" if cell.rank == 2 else words)
        label = rf"\quad {_tex(row.label)}" if row.detail else _tex(row.label)
        lines.append(" & ".join([label, *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _records(table: Table) -> list[dict[str, Any]]:
    """One record a cell that says anything."""
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
    """One line a cell, figures in full."""
    records = _records(table)
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
    """The cells of `to_csv` with title and notes."""
    return json.dumps(
        {"name": table.name, "title": table.title, "notes": footnotes(table), "cells": _records(table)},
        indent=1,
        ensure_ascii=False,
    )
