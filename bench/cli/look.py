"""Commands that print: what is available, and what runs found."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated

import typer

from bench.cli import kept, listing
from bench.cli.options import BESIDE, FORMAT, OF_RUN, RANKS, RUN, SKIP_DAMAGED, either, takes
from bench.records import HEADLINE
from lt_core.errors import UserError, unknown

_PIPED = 120  # characters to which a table is limited if it is printed to a pipe or a file


def list_(
    what: Annotated[str | None, typer.Argument(metavar=either(listing.LISTINGS))] = None,
    pattern: Annotated[str, typer.Argument(metavar="GLOB", help="a glob on names, such as 'cb_*'")] = "*",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List what is available, or what matches a pattern."""
    if what is None:
        raise UserError(f"say what to list: {', '.join(listing.LISTINGS)}")
    if what not in listing.LISTINGS:
        raise unknown("kind", what, listing.LISTINGS)
    items = kept.listing(what, pattern, listing.LISTINGS[what])
    if not items:
        raise UserError(f"no {what} match '{pattern}': `list {what}` shows them all")
    if as_json:
        print(json.dumps(items, indent=1, ensure_ascii=False))
    elif what == "methods":
        print(listing.methods_listing(items))
    else:
        print(listing.aligned([[i["name"], i["about"]] for i in items], indent=""))


@takes("only", "format")
def table_(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="see `list tables`")],
    run: OF_RUN,
    only: str | None,
    metric: Annotated[
        str | None, typer.Option(metavar="METRIC", help="metric to show and to sort by; see `list metrics`")
    ] = None,
    beside: BESIDE = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="print every row of a table that is otherwise a summary, such as per_class, and all columns side by side if the "
            "output is not a terminal",
        ),
    ] = False,
    skip_damaged: SKIP_DAMAGED = False,
    format: FORMAT = "terminal",
) -> None:
    """Print a table of a run."""
    from bench.analysis.comparable import chosen
    from bench.records.beside import opened
    from bench.report.render import renderer
    from bench.report.render.terminal import to_terminal
    from bench.report.tables import TABLES

    to_text, view, store = renderer(format), TABLES[name], opened(run, beside, skip_damaged)
    if to_text is to_terminal and not full:
        to_text = partial(to_terminal, elsewhere=_PIPED)
    frame = store.frame()
    if only is not None:
        frame = chosen(frame, only)
    made = view(frame, metric, store.per_class())
    print(to_text((full and made.full) or made))


def status_(run: RUN, skip_damaged: SKIP_DAMAGED = False) -> None:
    """Count the trials of a run, and group its failures by cause."""
    from bench.cli import wording
    from bench.records.store import Store

    print(wording.status_words(Store.open(run, skip_damaged)))


def compare_(
    run: RUN,
    against: Annotated[str, typer.Option(metavar="LABEL", help="the baseline")] = "softmax",
    metric: Annotated[str, typer.Option(metavar="METRIC", help="metric to compare; see `list metrics`")] = HEADLINE,
    beside: BESIDE = None,
    skip_damaged: SKIP_DAMAGED = False,
    format: FORMAT = "terminal",
) -> None:
    """Compare every method of a run with a baseline.

    Differences are taken between trials with the same images and seed.
    """
    from bench.records.beside import opened
    from bench.report.render import renderer
    from bench.report.tables.compare import build

    print(renderer(format)(build(opened(run, beside, skip_damaged).frame(), metric, against)))


@takes("only", "format")
def priors_(run: RUN, only: str | None, skip_damaged: SKIP_DAMAGED = False, format: FORMAT = "terminal") -> None:
    """Show accuracy on test sets with other class frequencies.

    Methods are shown without adaptation, and adapted to known or estimated frequencies. Requires trials that were run with
    --keep predictions.
    """
    from bench.analysis.label_shift import under_priors
    from bench.records.store import Store
    from bench.report.render import renderer
    from bench.report.tables.priors import build

    to_text, store = renderer(format), Store.open(run, skip_damaged)
    print("\n\n".join(map(to_text, build(store.frame(), partial(under_priors, store), only or "*"))))


@takes("only", "format")
def leaderboard_(
    only: str | None,
    run: Annotated[
        list[str] | None, typer.Option(metavar="RUN", help="a run by name or folder; may be repeated [default: all runs]")
    ] = None,
    metric: RANKS = HEADLINE,
    sort: Annotated[
        str | None, typer.Option(metavar="METRIC|average_rank", help="column to sort by, instead of the metric")
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar="LIST", help="columns to show, such as acsa,few,seconds,command")] = None,
    skip_damaged: SKIP_DAMAGED = False,
    format: FORMAT = "terminal",
) -> None:
    """Rank the methods of runs in each data column.

    Published figures for the same data are shown next to the measured ones.
    """
    from bench.analysis.leaderboard import leaderboard
    from bench.report.export import frame_of, runs
    from bench.report.render import renderer
    from bench.report.tables.leaderboard import build, choose

    to_text, chosen = renderer(format), choose(columns)
    board = leaderboard(frame_of(runs(run or [], skip_damaged)), metric)
    print("\n\n".join(map(to_text, build(board, metric, chosen, sort, only))))


def claims_(
    runs: Annotated[str, typer.Option(metavar="DIR", help="folder of the runs to check the claims against")] = "results",
    format: FORMAT = "terminal",
) -> None:
    """Check claims of papers against measured results.

    --format md prints the page docs/results/claims.md.
    """
    from pathlib import Path

    from bench.report import claims
    from bench.report.render import renderer
    from bench.report.tables.claims import build

    folder = Path(runs)
    if not any(folder.glob("*/trials.parquet")):
        raise UserError(f"--runs {runs} holds no runs: name a folder with one subfolder for each run")
    print(claims.page(folder).rstrip("\n") if format == "md" else "\n\n".join(map(renderer(format), build(folder))))
