"""The command that computes features of frozen backbones ahead of a run."""

from __future__ import annotations

from bench.cli.options import SUITES, takes
from bench.running.execution import Execution


@takes("device", "data")
def features_(suites: SUITES, execution: Execution) -> None:
    """Compute the features that suites need from frozen backbones.

    Repeat the command to continue after a stop. `run` does this automatically; use this command to do it beforehand, for
    example on a machine with a GPU. Features are stored in the folder LT_CACHE.
    """
    from bench.suites.group import load, suites_in
    from lt_core.errors import UserError
    from lt_core.frozen.fetch import fetch_inputs
    from lt_core.frozen.label import Frozen
    from lt_core.labels import counted

    trials = [(s.data, s.recipe) for name in suites for suite in suites_in(load(name)) for s in suite.specs]
    wanted = [(data, recipe) for data, recipe in trials if Frozen.of(recipe.model)]
    if not wanted:
        raise UserError(f"none of the suites {', '.join(suites)} has a frozen backbone: see `list suites`")
    runtime = execution.runtime()
    fetch_inputs(wanted, runtime.data_dir, str(runtime.torch_device()))
    print(f"features are ready: {counted(len({(data.dataset, recipe.model) for data, recipe in wanted}), 'set')}")
