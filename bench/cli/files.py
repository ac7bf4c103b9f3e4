"""Commands that write files: of one run, or of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import BESIDE, OF_RUN, RANKS, RUN, SKIP_DAMAGED
from bench.records import HEADLINE
from lt_core.errors import UserError


def export_(
    run: Annotated[
        list[str] | None, typer.Option(metavar="RUN", help="a run by name or folder; repeat it [default: the committed ones]")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the files")] = Path("results") / "leaderboard",
    metric: RANKS = HEADLINE,
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Write the leaderboard in every format; the same records give the same bytes."""
    from bench.cli import wording
    from bench.report.export import committed, export, runs

    chosen = runs(run, skip_damaged) if run else committed(skip_damaged) or runs([], skip_damaged)
    print(wording.file_list(export(chosen, out, metric)))


def site_(
    run: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="a run by name or folder; repeat it [default: the committed and the submitted ones]"),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the website")] = Path("site-leaderboard"),
    release: Annotated[str, typer.Option(metavar="NAME", help="also keep the leaderboard's files in archive/NAME")] = "",
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Write the leaderboard as a website: a page for each data set, method and run, and the claims that were checked.

    It can be read from the disk and without a network; to publish it, serve the folder as it is.
    """
    from bench.report.export import committed, runs, submitted
    from bench.report.site import Site, write

    chosen = runs(run, skip_damaged) if run else [*committed(skip_damaged), *submitted(skip_damaged)] or runs([], skip_damaged)
    pages = write(Site(chosen), out, release)
    print(f"{pages} pages; open {out / 'index.html'}")


def merge_(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="runs by name or folder")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the joined run")],
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Join runs from several machines into one."""
    from bench.records.merge import merge
    from bench.records.store import Store

    added, shared = merge([Store.open(run, skip_damaged) for run in runs], out)
    print(f"{out}: {added} records added, {shared} trials were there more than once")


def plot_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="see `list plots`")],
    run: OF_RUN,
    only: Annotated[str, typer.Option(metavar="GLOB", help="only these methods or labels")] = "*",
    beside: BESIDE = None,
    skip_damaged: SKIP_DAMAGED = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="PDF, SVG or PNG; else in the run's folder")] = None,
) -> None:
    """Draw a figure of a run."""
    from bench.records.beside import opened
    from bench.report.plots import PLOTS, write

    draw, store = PLOTS[kind], opened(run, beside, skip_damaged)
    file = out or store.path / "plots" / f"{kind}.svg"
    write(draw(store, only), file)
    print(file)


def report_(
    run: RUN,
    beside: BESIDE = None,
    skip_damaged: SKIP_DAMAGED = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="an HTML file; else report.html in the run's folder")] = None,
) -> None:
    """Write a run as one HTML page: leaderboard, charts, failures, provenance, commands."""
    from bench.records.beside import opened
    from bench.report import page

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out}: a report is an HTML page: name a file that ends in .html")
    store = opened(run, beside, skip_damaged)
    file = out or store.path / "report.html"
    page.write(store, file)
    print(file)
