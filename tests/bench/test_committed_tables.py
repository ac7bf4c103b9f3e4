"""The tables committed under results/ are those that this code makes from the rows beside them."""

from __future__ import annotations

import pytest

from bench.records.store import Store
from bench.report.formats import ENDINGS
from bench.report.render import renderer
from bench.report.tables import TABLES
from tests.bench.harness import ROOT

COMMITTED = sorted(path for path in ROOT.glob("results/*/tables/*.md") if path.stem in TABLES)


@pytest.mark.parametrize("page", COMMITTED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_committed_table_is_made_from_the_committed_rows(page):
    store = Store.open(page.parent.parent)
    table = TABLES[page.stem](store.frame(), None, store.per_class())
    stale = []
    for format, ending in ENDINGS.items():
        file = page.with_suffix(ending)
        if ending and file.exists() and file.read_text() != renderer(format)(table) + "\n":
            stale.append(format)
    again = f"python bench.py table {page.stem} --run results/{page.parts[-3]} --format"
    assert not stale, f"write these again: {'; '.join(f'{again} {format}' for format in stale)}"


def test_there_are_committed_tables():
    assert {"catalogue", "cb", "crest", "joint", "mm"} <= {page.stem for page in COMMITTED}
