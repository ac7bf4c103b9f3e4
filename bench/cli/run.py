"""Commands that plan runs, run them, and verify them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.exits import SOME_FAILED, ended, refuse, stopped
from bench.cli.options import GRID, RUN, SELECTION, SKIP_DAMAGED, SUITES_OR_GRID, takes
from bench.running.execution import Execution
from bench.suites.grid import Grid
from bench.suites.selection import Selection
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.suites.suite import Suite


@takes(*GRID, *SELECTION, "workers", "out")
def plan_(
    *,
    suites: SUITES_OR_GRID = None,
    grid: Grid,
    selection: Selection,
    execution: Execution,
    workers: Annotated[int, typer.Option(min=1, help="number of parallel trials assumed in the estimate")] = 2,
    measure_gpu: Annotated[
        bool, typer.Option("--measure-gpu", help="also measure on this machine's GPU how many trials should share it")
    ] = False,
) -> None:
    """Show what a run would do and cost, without starting it."""
    from bench.cli import wording
    from bench.running.sharing import measured_here
    from bench.suites import cost
    from bench.suites.group import planned

    plans = planned(*_asked_for(suites, grid, selection, execution))
    prices, seconds = cost.Prices(wording.announce), 0.0
    for plan, store in plans:
        estimate = prices.estimate(plan.todo, store.frame() if plan.todo else None)
        print(wording.plan_words(plan, estimate, workers), flush=True)
        seconds += estimate.seconds
    if len(plans) > 1:
        print(wording.total_words([plan for plan, _ in plans], seconds, workers))
    if measure_gpu and (left := [spec for plan, _ in plans for spec in plan.todo]):
        print(f"--gpus-per-trial auto: {measured_here(left)}")


@takes(
    *GRID, "backend", "address", "cpus_per_trial", "gpus_per_trial", "processes_per_trial", "device", *SELECTION,
    "trial_timeout", "fail_fast", "checkpoint_every", "data", "out", "embed", "keep", "logger", "verbose",
)  # fmt: skip
def run_(*, suites: SUITES_OR_GRID = None, grid: Grid, selection: Selection, execution: Execution) -> None:
    """Train the missing trials of suites or of a grid of your own.

    Tables and a report are printed and written at the end. Repeat the command to continue. A grid needs --dataset, --methods
    and --name, and accepts any field of data, recipe or methods: `run --dataset digits --imbalance-factor 10,50 --methods
    'softmax,cb_*' --cb-beta 0.99,0.999 --seeds 5 --name mine`.

    Exit code 0: all selected trials have finished; 3: some failed, now or earlier; 4: all failed; 2: bad input; 130: stopped by
    Ctrl-C or SIGTERM.
    """
    from bench.records.folder import refuse_committed
    from bench.running.backends import Interrupted
    from bench.running.driver import FailedFast, run_plan
    from bench.suites.advice import recipe_notes
    from bench.suites.group import fetch_data, planned

    planned_into = planned(*_asked_for(suites, grid, selection, execution))
    for plan, store in planned_into:  # check all of them before the first begins
        refuse_committed(store.path)
        if plan.todo:
            store.refuse_losing_rows()
    plans = [plan for plan, _ in planned_into]
    if len(plans) > 1:
        runtime = execution.runtime()
        fetch_data(plans, runtime.data_dir, str(runtime.here()))
    statuses: list[str] = []
    for plan in plans:
        for note in recipe_notes(plan.todo):
            print(f"{plan.suite.name}: note: {note}", flush=True)
        try:
            store = run_plan(plan, execution)
        except Interrupted:
            raise SystemExit(stopped()) from None
        except FailedFast as error:
            refuse(str(error))
            raise SystemExit(SOME_FAILED) from None
        _show(store, plan.suite.table)
        known = store.statuses()
        here = [known.get(spec.trial_id, "") for spec in plan.specs]
        statuses += here
        ended(here, store.path)
    raise SystemExit(ended(statuses))


def _asked_for(
    suites: Sequence[str] | None, grid: Grid, selection: Selection, execution: Execution
) -> tuple[Sequence[str | Suite], Path, Selection]:
    """The arguments of `planned`.

    Raises:
        UserError: neither suites nor a grid were given, or both.
    """
    if suites and grid.options():
        grid.check_fields()  # an unknown option is more likely misspelt than meant for a grid
        raise UserError(f"{grid.options()[0]} defines a grid of your own, but {suites[0]} is a suite: give one or the other")
    if not suites and not grid.options():
        raise UserError("name a suite (see `list suites`), or define a grid with --dataset, --methods and --name")
    if suites:
        return suites, execution.out, selection
    suite, left = grid.suite(execution.out, selection)
    if grid.save_suite:
        print(f"the grid is saved in {grid.save_suite}, and `bench.py run {grid.save_suite}` runs it")
    return [suite], execution.out, left


def _show(store: Any, table: str) -> None:
    """Print a run's table, and the files to which the tables, plots and the report were written."""
    from bench.cli.wording import file_list
    from bench.records.frames import BUILDERS
    from bench.report.export import committed
    from bench.report.outcome import write_report, write_tables
    from bench.report.render import renderer

    made, files = write_tables(store, table)
    print()
    print(renderer("terminal")(made))
    print()
    print(f"tables   {file_list([f for f in files if f.parent.name == 'tables'])}")
    for file in files:
        if file.parent.name == "plots":
            print(f"plot     {file}")
    print(f"parquet  {file_list([store.path / f'{n}.parquet' for n in BUILDERS])}")
    print(f"report   {write_report(store)}", flush=True)
    for shipped in committed():
        if shipped.path.name == store.path.name:
            print(f"compare with the committed rows: python bench.py compare {store.path} --beside {shipped.path}", flush=True)


@takes("device", "data")
def verify_(
    run: RUN,
    device: str,
    data: str | None,
    sample: Annotated[int, typer.Option(min=1, metavar="N", help="number of trials to run again")] = 5,
    sample_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="SEED",
            help="seed for choosing the trials, as printed by an earlier call [default: new trials each time]",
        ),
    ] = None,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="also write the outcome beside the run, for the website to show")
    ] = False,
    skip_damaged: SKIP_DAMAGED = False,
) -> None:
    """Train random trials of a run again and compare the figures.

    On the same kind of device the figures must agree to the bit, otherwise the exit code is 1. On another kind
    (processor, threads, precision or torch) they count as a replicate, and the differences are reported.
    """
    import secrets

    from bench.records import certificate as certificates
    from bench.records.provenance import provenance
    from bench.records.store import Store
    from bench.running.verify import Verdict, finished, machine, runtime_like, spread, verify

    store, verdicts = Store.open(run, skip_damaged), list[Verdict]()
    if certificate:
        certificates.refuse_smaller(store.path, sample)
    done = finished(store)
    runtime = runtime_like(done[0], data, device)
    seed = secrets.randbelow(10**6) if sample_seed is None else sample_seed
    try:
        for verdict in verify(done, sample, runtime, seed):
            verdicts.append(verdict)
            print(f"{verdict.kind:<9}  {verdict.trial_id}  {verdict.label}: {verdict.words}", flush=True)
    finally:  # also after a stop
        for line in spread(verdicts):
            print(line)
        if verdicts:
            print(f"these trials were chosen with --sample-seed {seed}", flush=True)
    if certificate:
        told = [{"trial_id": v.trial_id, "label": v.label, "kind": v.kind, "words": v.words} for v in verdicts]
        print(f"certificate  {certificates.write(store.path, seed, told, {**provenance(), 'machine': machine(runtime)})}")
    if not all(verdict.good for verdict in verdicts):
        raise SystemExit(1)
