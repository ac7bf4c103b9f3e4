"""Commands on trained networks that a run has kept (`run --keep weights`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import RUN, SKIP_DAMAGED

METHODS = Annotated[str, typer.Option("--only", "--method", metavar="GLOB", help="only these methods or labels")]


def weights_(
    run: RUN,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the copies")],
    only: METHODS = "*",
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Copy the trained networks of a run, each checked and named after its trial, for use elsewhere.

    For trials that were run with --keep weights. `lt_core.trained.load` reads the files.
    """
    from bench.explaining.kept import export, kept_trials
    from bench.records.store import Store

    store = Store.open(run, skip_damaged)
    for file in export(store, kept_trials(store, only), out):
        print(file)
