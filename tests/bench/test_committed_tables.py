"""The tables committed under results/ are those that this code makes from the rows beside them."""

from __future__ import annotations

import pytest

from bench.analysis.gains import FILE, read
from bench.records.store import Store
from bench.report.formats import ENDINGS
from bench.report.render import renderer
from bench.report.tables import TABLES, Table, gains
from tests.bench.harness import ROOT

COMMITTED = sorted(path for path in ROOT.glob("results/*/tables/*.md") if path.stem in TABLES)


def refuse_stale(table: Table, folder, again: str) -> None:
    stale = []
    for format, ending in ENDINGS.items():
        file = folder / f"{table.name}{ending}"
        if ending and file.exists() and file.read_text() != renderer(format)(table) + "\n":
            stale.append(format)
    assert not stale, f"{', '.join(stale)}: write these again with {again}"


@pytest.mark.parametrize("page", COMMITTED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_committed_table_is_made_from_the_committed_rows(page):
    store = Store.open(page.parent.parent)
    table = TABLES[page.stem](store.frame(), None, store.per_class())
    refuse_stale(table, page.parent, f"python bench.py table {page.stem} --run results/{page.parts[-3]} --format …")


@pytest.mark.parametrize("run", sorted(path.parent for path in ROOT.glob(f"results/*/{FILE}")), ids=lambda path: path.name)
def test_the_committed_gains_are_made_from_the_committed_rows(run):
    table = gains.build(read(run), Store.open(run).frame())
    assert len(table.rows) == 13
    refuse_stale(table, run / "tables", "bench.report.render.write and bench.report.tables.gains.build")


def test_there_are_committed_tables():
    assert {"catalogue", "cb", "crest", "joint", "mm"} <= {page.stem for page in COMMITTED}
    assert len(list(ROOT.glob(f"results/*/{FILE}"))) >= 4
