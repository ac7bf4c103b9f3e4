"""Every method computes what its source says, and docs/fidelity.md is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from lt_core.methods import BUILT_IN
from tests.lt_core.references import REFERENCES
from tests.lt_core.references.base import Case, agree
from tests.lt_core.references.document import COMMAND, written

SEEDS = range(5)
CHECKED = [reference for reference in REFERENCES.values() if reference.check]


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("reference", CHECKED, ids=lambda reference: reference.method)
def test_a_method_computes_what_its_source_does(reference, classes):
    for seed in SEEDS:
        reference.check(Case(classes, seed))


@pytest.mark.parametrize("method", BUILT_IN)
def test_every_method_is_held_against_something(method):
    assert method in REFERENCES, (
        f"{method} has no entry in tests/lt_core/references: in the module of its family, add Reference('{method}', source, "
        "agrees_on, check, deviations) to REFERENCES. The source is the repository, file and commit that were read, or the "
        f"paper's equation; check compares a `Case` with that formula, written out in loops. Then run {COMMAND}"
    )


def test_no_entry_is_of_a_method_that_is_gone():
    assert set(REFERENCES) <= set(BUILT_IN)


def test_a_difference_in_one_row_of_many_is_noticed():
    """Each image is compared relative to its own size, because a confident image's slopes are thousands of times smaller."""
    theirs = [[1000.0, -1000.0], [1e-4, -1e-4]]
    agree([[1000.0, -1000.009], [1e-4, -1e-4]], theirs, "rows")
    with pytest.raises(AssertionError, match="rows"):
        agree([[1000.0, -1000.0], [1e-4, -1.0002e-4]], theirs, "rows")


def test_the_document_is_what_the_entries_say():
    path = Path(__file__).parents[2] / "docs" / "fidelity.md"
    assert path.read_text() == written(), f"docs/fidelity.md is not what the entries say: run {COMMAND}"


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=lambda reference: reference.method)
def test_an_entry_is_whole(reference):
    assert reference.source and reference.agrees_on
    assert all(what and why for what, why in reference.deviations)
