"""Commands for the trained networks that a run has kept (`run --keep weights`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import FORMAT, RUN, SKIP_DAMAGED, takes
from lt_core.errors import UserError, unknown

METHODS = Annotated[
    str, typer.Option("--only", "--method", metavar="GLOB,…", help="only these methods or labels, as names or globs")
]


def weights_(
    run: RUN,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder to write the copies to")],
    only: METHODS = "*",
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Copy the trained networks of a run, for use elsewhere.

    Each file is checked and named after its trial. Requires trials that were run with --keep weights. `lt_core.trained.load`
    reads the files.
    """
    from bench.explaining.kept import export, kept_trials
    from bench.records.store import Store

    store = Store.open(run, skip_damaged)
    for file in export(store, kept_trials(store, only), out):
        print(file)


@takes("device", "data")
def explain_(
    run: RUN,
    device: str,
    data: str | None,
    only: METHODS = "*",
    kind: Annotated[str, typer.Option(metavar="NAME[KEY=VALUE,…]", help="see `list explanations`")] = "gradcam",
    images: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="number of test pictures [default: 8; with --scores: 200]")
    ] = None,
    scored: Annotated[
        bool, typer.Option("--scores", help="print tables that score the maps over all trials, and draw nothing")
    ] = False,
    format: FORMAT = "terminal",
    of: Annotated[
        str, typer.Option(metavar="true|predicted", help="explain the picture's true class, or the one that is predicted")
    ] = "true",
    skip_damaged: SKIP_DAMAGED = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="PDF, SVG or PNG file [default: in the run's folder]")] = None,
) -> None:
    """Draw where networks look, as heat maps over test pictures.

    Requires trials that were run with --keep weights. Each data column gets a figure, which shows the first subset and seed of
    each method, methods side by side and classes from head to tail. The pictures are chosen by the first method: from each
    class, one that it classifies correctly and one that it does not.
    """
    from bench.explaining import pictures
    from bench.explaining.outcome import score_tables, write_figures
    from bench.records.store import Store
    from bench.report.render import renderer
    from lt_core.explain import explanation
    from lt_core.training.runtime import Runtime

    if of not in pictures.OF:
        raise unknown("class", of, pictures.OF, "--of")
    if scored and (out is not None or of != pictures.OF[0]):
        raise UserError("--scores prints tables for the true classes and draws nothing: drop --out and --of")
    if not scored and format != "terminal":
        raise UserError("--format applies to the tables that --scores prints: add --scores, or name a figure with --out")
    store, chosen = Store.open(run, skip_damaged), explanation(kind)
    runtime = Runtime(data_dir=data, device=device)
    if scored:
        print("\n\n".join(map(renderer(format), score_tables(store, only, chosen, images or 200, runtime))))
        return
    for file in write_figures(store, only, chosen, images or 8, of, runtime, out):
        print(file)


@takes("device", "data")
def geometry_(
    run: RUN, device: str, data: str | None, only: METHODS = "*", skip_damaged: SKIP_DAMAGED = False, format: FORMAT = "terminal"
) -> None:
    """Show how the features of classes are distributed.

    The tables have the spread, silhouette and nearest centre of large and small classes, and neural collapse. Requires trials
    that were run with --keep weights.
    """
    from bench.explaining.geometry import geometry_tables
    from bench.records.store import Store
    from bench.report.render import renderer
    from lt_core.training.runtime import Runtime

    to_text, runtime = renderer(format), Runtime(data_dir=data, device=device)
    print("\n\n".join(map(to_text, geometry_tables(Store.open(run, skip_damaged), only, runtime))))
