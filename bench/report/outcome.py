"""What a run leaves in its folder besides its records: tables in every format, the figures beside them, and the page."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.records.store import Store
from bench.report import page, render
from bench.report.plots import PLOTS
from bench.report.plots import write as write_plot
from bench.report.tables import TABLES, Table
from lt_core.errors import UserError
from lt_core.result import OK


def write_tables(store: Store, name: str) -> tuple[Table, list[Path]]:
    """Write the table ``name`` in every file format under ``tables/`` of the run, and its figures under ``plots/``; return the
    table and the files.
    """
    view, folder = TABLES[name], store.path / "tables"
    table = view(store.frame(), None, store.per_class())
    try:
        files = render.write(table, folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): free some disk space, then run `bench.py table {name} --run "
            f"{store.path}`"
        ) from None
    for kind in view.plots if (store.frame()["status"] == OK).any() else ():
        file = store.path / "plots" / f"{kind}.svg"
        try:
            write_plot(PLOTS[kind](store), file)
            files.append(file)
        except Exception as error:  # the run has finished, and a chart must not make it fail
            print(f"plot {kind} was not drawn: {error}", file=sys.stderr)
    return table, files


def write_report(store: Store) -> str:
    """Write the page of a finished run, and return its path, or a sentence on why there is none. This never raises, because the
    run has finished and is kept.
    """
    file = store.path / "report.html"
    try:
        page.write(store, file)
    except Exception as error:
        return f"not written ({error}): run `bench.py report {store.path}` to try again"
    return str(file)
