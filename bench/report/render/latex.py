"""Tables as LaTeX (booktabs) for a two-column paper: one or two columns wide, with a short caption, and with notes below."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from bench.records.foreign import printed
from bench.report.render.fit import COLUMN, GAP, PAGE, Widths, extent, label, pages
from bench.report.render.notes import TIED, footnotes
from bench.report.render.text import cell_words
from bench.report.tables.table import Cell, Row, Table

_CAPTION = 180  # the most letters, which leaves room for TeX's escapes

_TEX = str.maketrans({
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    TIED: r"$\approx$", "∞": r"$\infty$", "α": r"$\alpha$", "μ": r"$\mu$", "λ": r"$\lambda$", "≤": r"$\leq$", "…": r"\dots{}",
    "·": r"$\cdot$", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "ⁿ": "$^n$", "\u2003": r"\quad ",
    "±": r"$\pm$", "β": r"$\beta$", "γ": r"$\gamma$", "τ": r"$\tau$", "×": r"$\times$", "−": "$-$", "–": "--", "→": r"$\to$",
})  # fmt: skip


def _tex(text: str) -> str:
    return printed(text).translate(_TEX)


def to_latex(table: Table) -> str:
    """A ``table``, or a ``table*`` if that is too narrow; it needs no package other than booktabs. Columns that do not fit the
    width of a page continue below, with the row names repeated; rows that do not fit its height continue in further tables.
    """
    short, long = Widths(table, wrapped=False), Widths(table, wrapped=True)
    fits = [(w, room) for room in (COLUMN, PAGE) for w in (short, long) if w.of(range(len(table.columns))) <= room]
    widths, room = fits[0] if fits else (long, PAGE)
    kind, (caption, notes) = "table*" if room == PAGE else "table", _caption(table)
    below = [r"\par\smallskip", r"\begin{minipage}{\linewidth}\scriptsize\raggedright"]
    below += [f"{_breakable('; '.join(notes))}.", r"\end{minipage}"]
    made: list[str] = []
    for page in pages(table, widths, room):
        bodies = [_tabular(table, rows, chunk, widths) for rows, chunk in page]
        said = f"{caption.rstrip('.')} (continued)." if made else caption
        lines = [
            rf"\begin{{{kind}}}", r"\centering\footnotesize", rf"\setlength{{\tabcolsep}}{{{GAP:g}pt}}",
            rf"\caption{{{_breakable(said)}}}", "\n\\par\\medskip\n".join(bodies), *([] if made else below), rf"\end{{{kind}}}",
        ]  # fmt: skip
        made.append("\n".join(lines))
    return "\n\n".join(made)


def _caption(table: Table) -> tuple[str, list[str]]:
    """The caption and the notes. A title that is too long for a caption is cut, and stands in full before the notes."""
    title, notes = table.title.rstrip("."), footnotes(table)
    if len(title) < _CAPTION:
        return f"{title}.", notes
    return f"{title[: _CAPTION - 2].rsplit(' ', 1)[0]} …", [title, *notes]


def _tabular(table: Table, rows: Sequence[Row], chunk: Sequence[int], widths: Widths) -> str:
    columns = [table.columns[j] for j in chunk]
    rules, spans, start = [], [], 2
    for group, items in itertools.groupby(columns, key=lambda column: column.group):
        size = len(list(items))
        spans.append(rf"\multicolumn{{{size}}}{{c}}{{{_tex(group)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + size - 1}}}")
        start += size
    heads = [" & ".join(["", *spans]) + r" \\", " ".join(rules)] if any(column.group for column in columns) else []
    names = [_fitted(column.name, widths.columns[j], "b", "left") for j, column in zip(chunk, columns, strict=True)]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(chunk)}}}", r"\toprule", *heads,
        " & ".join([_fitted(table.stub, widths.stub, "b"), *names]) + r" \\", r"\midrule",
    ]  # fmt: skip
    for row in rows:
        cells = [_cell(row.cells[j], table, widths.columns[j]) for j in chunk]
        lines.append(" & ".join([_fitted(label(row), widths.stub), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _cell(cell: Cell, table: Table, width: float) -> str:
    words = _fitted(cell_words(cell, table), width, side="left")
    return rf"\textbf{{{words}}}" if cell.rank == 1 else rf"\underline{{{words}}}" if cell.rank == 2 else words


def _fitted(text: str, width: float, at: str = "t", side: str = "right") -> str:
    """``text``, in a box of this ``width`` if it is wider; the lines are ragged on one side."""
    if extent(text) <= width + 0.1:
        return _tex(text)
    return rf"\parbox[{at}]{{{width:.0f}pt}}{{\ragged{side} {_breakable(text)}\strut}}"


def _breakable(text: str) -> str:
    """Allow TeX to break long words after commas, underscores, brackets, slashes and equals signs."""
    pieces = re.split(r"(\S{16,})", text)
    return "".join(
        r"\allowbreak{}".join(map(_tex, re.split(r"(?<=[,_=\[/])", piece))) if i % 2 else _tex(piece)
        for i, piece in enumerate(pieces)
    )
