"""The command that searches for hyperparameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.exits import ended, refuse, stopped
from bench.cli.options import SPACE, either, takes
from bench.running.execution import Execution
from bench.tuning.choices import PRUNERS, SAMPLERS


@takes(
    "retry_failed", "backend", "address", "cpus_per_trial", "gpus_per_trial", "processes_per_trial", "device",
    "data", "out", "logger", "verbose",
)  # fmt: skip
def tune_(
    space: SPACE,
    execution: Execution,
    retry_failed: bool,
    trials: Annotated[
        int | None, typer.Option(min=1, help="number of settings per study, instead of the number in the space")
    ] = None,
    sampler: Annotated[str | None, typer.Option(metavar=either(SAMPLERS), help="algorithm that proposes settings")] = None,
    pruner: Annotated[str | None, typer.Option(metavar=either(PRUNERS), help="algorithm that stops unpromising trials")] = None,
    fresh_seeds: Annotated[int | None, typer.Option(min=1, help="number of new seeds on which the winner is run")] = None,
    fresh_subset_seeds: Annotated[
        int | None, typer.Option(min=0, help="number of new subsets of the images on which the winner is run")
    ] = None,
    study_seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="random seed of the sampler")] = 0,
    plan: Annotated[bool, typer.Option("--plan", help="show what would run and what it would cost, without starting it")] = False,
) -> None:
    """Search for hyperparameters, then test the winner.

    The search uses the validation split; the winner is then tested on new seeds. If the space names a baseline, the result
    includes the gain of every method over it, tuned with the same budget.

    Exit code 0: all trials of the search and of the test have finished or were stopped by the pruner; 3: some failed, now or
    earlier; 4: all failed; 2: bad input; 130: stopped by Ctrl-C or SIGTERM.
    """
    import bench
    from bench.cli import tune_wording
    from bench.records.store import Store
    from bench.report.render import renderer
    from bench.running.backends import Interrupted
    from bench.tuning import outcome
    from bench.tuning.space import load_space
    from bench.tuning.winners import NothingFinished

    chosen = load_space(
        space, trials=trials, sampler=sampler, pruner=pruner, fresh_seeds=fresh_seeds, fresh_subset_seeds=fresh_subset_seeds
    )
    if plan:
        run = execution.out / chosen.name
        print(tune_wording.space_words(chosen, workers=2, store=Store(run) if run.is_dir() else None))
        return
    try:
        store, found = bench.tune(chosen, execution=execution, study_seed=study_seed, retry_failed=retry_failed)
    except Interrupted:
        raise SystemExit(stopped()) from None
    except NothingFinished as error:
        refuse(str(error))
        raise SystemExit(_searched(execution.out / chosen.name)) from None
    files = outcome.write(chosen, found, store)
    print()
    for made in outcome.tables(chosen, found, store):
        print(renderer("terminal")(made))
        print()
    print(tune_wording.tuned_words(found, store, files))
    raise SystemExit(_searched(store.path))


def _searched(folder: Path) -> int:
    """The exit code of a search. Trials that the pruner stopped do not count as failures."""
    from bench.records.store import Store
    from lt_core.result import PRUNED

    return ended([status for status in Store(folder).statuses().values() if status != PRUNED], folder)
