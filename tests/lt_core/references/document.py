"""The text of docs/fidelity.md, which is written from the references."""

from __future__ import annotations

from lt_core.methods import METHODS
from tests.lt_core.references import REFERENCES
from tests.lt_core.references.base import Reference

COMMAND = "python -m tests.lt_core.references"
_INTRODUCTION = f"""# Fidelity

This page lists the source of every method, what the tests compare with that source, and how closely the two must agree.
The files in `tests/lt_core/references/` implement the formulas a second time, as plain loops that share no code with ours. Unless
an entry says otherwise, the tests run both on random outputs, labels and long-tailed class sizes, for ten and for a hundred
classes, with five seeds each. If our code differs from its source on purpose, the entry describes the difference and gives the
reason.

A source is a repository with the files that we read and their commit, or an equation of the paper if there is no public code.
A tolerance of 1e-5 means that no number may differ by more than 1e-5 times the largest number in its row. A row is, for example,
the gradient with respect to one image's outputs.

`{COMMAND}` writes this page from the entries in that folder, and a test fails if the page is out of date.
"""


def _sentence(text: str) -> str:
    return (text if text[1] == "_" else text[0].upper() + text[1:]) + "."


def _entry(reference: Reference) -> list[str]:
    tolerance = f" The tolerance is {reference.tolerance}." if reference.check else ""
    return [
        f"### `{reference.method}`",
        "",
        _sentence(METHODS[reference.method].about),
        "",
        f"- Source: {reference.source}",
        f"- Comparison: The tests compare {reference.agrees_on}.{tolerance}",
        *(f"- Difference: {what} {why}" for what, why in reference.deviations),
        "",
    ]


def written() -> str:
    """The whole page."""
    lines = [_INTRODUCTION]
    for family in dict.fromkeys(METHODS[name].family for name in REFERENCES):
        lines += [f"## {_sentence(family.replace('_', ' '))[:-1]}", ""]
        for reference in REFERENCES.values():
            if METHODS[reference.method].family == family:
                lines += _entry(reference)
    return "\n".join(lines).rstrip() + "\n"
