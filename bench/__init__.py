"""The harness: suites, plans, backends, the store, tables.

    >>> import tempfile
    >>> from bench import load_suite, plan, run
    >>> suite = load_suite("quick")
    >>> plan(suite, only="cb_*", seeds=1).counts()
    {'trials': 27, 'done': 0, 'failed': 0, 'left': 27}
    >>> store = run(suite, only="softmax", where="imbalance_factor=100", seeds=2, epochs=2, backend="inline",
    ...             out=tempfile.mkdtemp())
    quick: 2 trials to run, 1 at a time
    ...
    >>> store.frame()[["label", "seed", "status"]]
         label  seed status
    0  softmax     0     ok
    1  softmax     1     ok

Two records, `Selection` and `Execution`, describe which trials are run, and how. The functions here also accept the fields of
these records as keywords, and the command line accepts them as options.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.records.store import Store
    from bench.running.execution import Execution
    from bench.suites.planning import Plan, plan
    from bench.suites.selection import Selection
    from bench.suites.suite import Suite, load_suite
    from bench.tuning.space import Space, load_space
    from bench.tuning.winners import Found

__all__ = ["Execution", "Plan", "Selection", "Space", "Store", "Suite", "load_space", "load_suite", "plan", "run", "tune"]

_HOMES = {
    "Execution": "bench.running.execution",
    "Plan": "bench.suites.planning",
    "plan": "bench.suites.planning",
    "Selection": "bench.suites.selection",
    "Store": "bench.records.store",
    "Suite": "bench.suites.suite",
    "load_suite": "bench.suites.suite",
    "Space": "bench.tuning.space",
    "load_space": "bench.tuning.space",
}


def __getattr__(name: str) -> Any:
    # Imported late, so that tables and `--help` do not wait for torch.
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")


def run(
    suite: Suite | str | Path,
    *,
    selection: Selection | None = None,
    execution: Execution | None = None,
    plugins: str | Path | Sequence[str | Path] = (),
    **fields: Any,
) -> Store:
    """Run the missing trials of ``suite``, store them in ``out``/<suite>, and return that store.

    Args:
        selection: which of its trials to run [default: all].
        execution: where and with which resources they run [default: Ray on this machine].
        plugins: Python files that register what the suite names, like ``--plugin`` on the command line.
        fields: fields of either record to override, so that ``run("quick", only="cb_*", backend="inline")`` is short for
            ``run("quick", selection=Selection(only="cb_*"), execution=Execution(backend="inline"))``.

    >>> import tempfile
    >>> asked = {"only": "ldam_drw", "where": {"imbalance_factor": 10}, "seeds": [4], "epochs": 2}
    >>> store = run("quick", backend="inline", out=tempfile.mkdtemp(), **asked)
    quick: 1 trial to run, 1 at a time
    ...
    >>> store.frame()["seed"].tolist()
    [4]

    Raises:
        UserError: the input is invalid, data is missing, resources are not available, or a folder cannot be written.
        bench.running.backends.Interrupted: stopped by Ctrl-C or SIGTERM; finished trials are kept.
    """
    from bench.running.driver import run_plan
    from bench.running.execution import Execution
    from bench.suites.planning import plan
    from bench.suites.selection import Selection, with_fields
    from bench.suites.suite import load_suite
    from lt_core.plugins import load_all

    load_all(plugins)
    asked, given = with_fields(fields, selection or Selection(), execution or Execution())
    return run_plan(plan(load_suite(suite) if isinstance(suite, str | Path) else suite, selection=asked), given)


def tune(
    space: Space | str | Path,
    *,
    study_seed: int = 0,
    retry_failed: bool = False,
    execution: Execution | None = None,
    plugins: str | Path | Sequence[str | Path] = (),
    **fields: Any,
) -> tuple[Store, list[Found]]:
    """Search every study of ``space`` on the validation split, then run the winners on new seeds.

    Args:
        study_seed: seed of the samplers.
        retry_failed: repeat failed settings, and failed trials of winners.
        execution: where and with which resources trials run [default: Ray on this machine].
        plugins: Python files that register what the space names, like ``--plugin`` on the command line.
        fields: fields of ``execution`` to override, as in ``tune("digits_cb", backend="inline")``.

    Returns:
        The store with all trials, and what each study found.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "my_focal.yaml")
    >>> _ = file.write_text('''
    ... about: γ of the focal loss on digits
    ... recipe: {base: digits, epochs: 1, warmup_epochs: 0}
    ... data: {dataset: digits, imbalance_factor: 10, n_max: 50, validation: 20}
    ... studies: {focal: {methods: focal, space: {gamma: {low: 0, high: 2}}}}
    ... trials: 2
    ... fresh_seeds: 1
    ... ''')
    >>> store, (found,) = tune(file, backend="inline", out=file.parent)
    my_focal: 1 study, 2 settings each, 1 trial per setting, 1 at a time
    ...
    >>> found.setting
    {'method': 'focal', 'gamma': ...}

    Raises:
        UserError: the input is invalid, data is missing, resources are not available, or a folder cannot be written.
        bench.running.backends.Interrupted: stopped by Ctrl-C or SIGTERM; the studies can be continued.
    """
    from functools import cache, partial

    from bench.records.folder import claim
    from bench.records.store import Store
    from bench.running import machines
    from bench.running.execution import KEPT, Execution
    from bench.running.loggers import opened
    from bench.suites.selection import with_fields
    from bench.tuning import driver, winners
    from bench.tuning.space import load_space
    from lt_core.errors import UserError
    from lt_core.plugins import load_all

    load_all(plugins)
    (given,) = with_fields(fields, execution or Execution())
    if given.keep:
        kinds = " and no ".join(KEPT[given.keep])
        raise UserError(f"keep: a study keeps no {kinds}: run the suite file of its winner with --keep {given.keep}")
    if given.fail_fast:
        raise UserError(
            "fail_fast applies to runs only: in a study, a setting with a failed trial counts as failed and the study continues"
        )
    chosen = load_space(space) if isinstance(space, str | Path) else space
    given.runtime()  # reports a missing device before anything else happens
    store = Store.create(given.out / chosen.name)
    store.refuse_losing_rows()
    claim(store.path, chosen.file)
    loggers = opened(given.logger or (), store.path)
    on = cache(partial(machines.found, given, chosen.kinds(), chosen.most_trials()))
    least = machines.least_gpus(given)
    searches = driver.tune(chosen, store, on, least_gpus=least, seed=study_seed, retry_failed=retry_failed, loggers=loggers)
    found = [winners.winner(search) for search in searches]
    winners.confirm(chosen, found, store, on, retry_failed, loggers)
    return store, found
