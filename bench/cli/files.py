"""Commands that write files: of one run, or of several."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import BESIDE, OF_RUN, RANKS, RUN, SKIP_DAMAGED
from bench.records import HEADLINE
from bench.report.charts.style import FORMATS, STYLES, look
from lt_core.errors import UserError, unknown
from lt_core.labels import counted


def export_(
    run: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="a run by name or folder; may be repeated [default: the committed runs]"),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder to write the files to")] = Path("results") / "leaderboard",
    metric: RANKS = HEADLINE,
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Write the leaderboard in every format.

    The same records always give the same files, to the byte.
    """
    from bench.cli import wording
    from bench.report.export import committed, export, runs

    chosen = runs(run, skip_damaged) if run else committed(skip_damaged) or runs([], skip_damaged)
    print(wording.file_list(export(chosen, out, metric)))


def site_(
    run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN", help="a run by name or folder; may be repeated [default: the committed and the submitted runs]"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the website")] = Path("site-leaderboard"),
    release: Annotated[str, typer.Option(metavar="NAME", help="also keep the leaderboard's files in archive/NAME")] = "",
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Write the leaderboard as a website.

    It has a page for each data set, method and run, and one for the claims that were checked. You can read it from the disk,
    without a network; to publish it, serve the folder as it is.
    """
    from bench.report.export import committed, runs, submitted
    from bench.report.site import Site, write

    chosen = runs(run, skip_damaged) if run else [*committed(skip_damaged), *submitted(skip_damaged)] or runs([], skip_damaged)
    pages = write(Site(chosen), out, release)
    print(f"{pages} pages; open {out / 'index.html'}")


def merge_(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="runs by name or folder")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the merged run")],
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Merge runs from several machines into one."""
    from bench.records.merge import merge
    from bench.records.store import Store

    added, shared = merge([Store.open(run, skip_damaged) for run in runs], out)
    print(f"{out}: {counted(added, 'trial')} added; {counted(shared, 'trial')} occurred more than once")


def plot_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="see `list plots`")],
    run: OF_RUN,
    only: Annotated[str, typer.Option(metavar="GLOB,…", help="only these methods or labels, as names or globs")] = "*",
    beside: BESIDE = None,
    skip_damaged: SKIP_DAMAGED = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="PDF, SVG or PNG file [default: in the run's folder]")] = None,
    format: Annotated[
        str | None, typer.Option(metavar="|".join(FORMATS), help="file format, if --out does not give it [default: svg]")
    ] = None,
    style: Annotated[
        str,
        typer.Option(metavar="|".join(STYLES), help="where the figure is used; sets its width and the sizes of fonts and lines"),
    ] = "paper",
    columns: Annotated[int, typer.Option(metavar="1|2", help="width of the figure, in columns of the page")] = 2,
    font_size: Annotated[
        float | None, typer.Option(metavar="POINTS", help="font size [default: 8 on paper, 16 on slides]")
    ] = None,
) -> None:
    """Draw a figure of a run, for a paper or for slides."""
    from bench.records.beside import opened
    from bench.report.charts.fit import caption
    from bench.report.plots import PLOTS, write

    chosen = look(style, columns, font_size)
    if format is not None and format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if out is not None and format is not None and out.suffix.lower() != f".{format}":
        raise UserError(f"--out {out} is not a {format} file, but --format is {format}: drop one of them, or let them agree")
    draw, store = PLOTS[kind], opened(run, beside, skip_damaged)
    file = out or store.path / "plots" / f"{kind}.{format or 'svg'}"
    chart = draw(store, only)
    write(chart, file, chosen)
    print(file)
    print("\n".join(f"  {note}" for note in caption(chart, chosen)), file=sys.stderr)  # what the caption must say


def report_(
    run: RUN,
    beside: BESIDE = None,
    skip_damaged: SKIP_DAMAGED = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="HTML file [default: report.html in the run's folder]")] = None,
) -> None:
    """Write a run as one HTML page.

    It has the leaderboard, charts, failures, provenance and commands, and needs no network.
    """
    from bench.records.beside import opened
    from bench.report import page

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out}: a report is an HTML page, so the file name must end in .html")
    store = opened(run, beside, skip_damaged)
    file = out or store.path / "report.html"
    page.write(store, file)
    print(file)
