"""docs/fidelity.md, made from the references."""

from __future__ import annotations

from lt_core.methods import METHODS
from tests.lt_core.references import REFERENCES
from tests.lt_core.references.base import Reference

COMMAND = "python -m tests.lt_core.references"
_INTRODUCTION = f"""# Fidelity

This page says, for every method, what its source is, what ours is compared with and how closely the two agree.
The formulas are written out once more in `tests/lt_core/references/`, in loops and apart from ours, and the tests compare
both for random outputs, labels and long-tailed class sizes, at ten and at a hundred classes, with five seeds.
Where ours differs on purpose, the difference stands here with its reason.

`{COMMAND}` writes this page from the entries there; a test holds that it is up to date.
A source is a repository with its files and commit, or a paper's equation where there is no public code. A tolerance of 1e-5
means that no number differs by more than this share of the largest in its row, such as the slopes of one image's loss by its
outputs.
"""


def _sentence(text: str) -> str:
    return (text if text[1] == "_" else text[0].upper() + text[1:]) + "."


def _entry(reference: Reference) -> list[str]:
    tolerance = f" Tolerance: {reference.tolerance}." if reference.check else ""
    return [
        f"### `{reference.method}`",
        "",
        _sentence(METHODS[reference.method].about),
        "",
        f"- Source: {reference.source}",
        f"- Compared: {reference.agrees_on}.{tolerance}",
        *(f"- Differs: {what}. Why: {why}." for what, why in reference.deviations),
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
