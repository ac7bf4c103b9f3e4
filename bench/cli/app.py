"""The command line: parse, call, print."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lt_core.errors import UserError, unknown

app = typer.Typer(
    name="lt-bench",
    help="Long-tailed image classification: methods × imbalance factors × hyperparameters × seeds, measured and tabled.",
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SUITES = Annotated[list[str], typer.Argument(metavar="SUITE...", help="suites or groups by name or YAML file; see `list suites`")]
ONLY = Annotated[str | None, typer.Option(metavar="GLOB", help="only these methods or labels, e.g. 'cb_*'")]
WHERE = Annotated[
    str | None, typer.Option(metavar="KEY=VALUE,…", help="only trials on such data, e.g. dataset=cifar10,imbalance_factor=100")
]
SEEDS = Annotated[str | None, typer.Option(metavar="N|LIST", help="number of seeds, or seeds as 0,3,7, in place of the suite's")]
PRECISION = Annotated[str | None, typer.Option(metavar="auto|bfloat16|float32", help="mixed precision, in place of the recipe's")]
EPOCHS = Annotated[int | None, typer.Option(min=1, help="train this long; the recipe's schedule scales with it")]
LIMIT = Annotated[int | None, typer.Option(min=1, help="at most this many trials of each suite")]
RETRY = Annotated[bool, typer.Option("--retry-failed", help="run failed trials again")]
OUT = Annotated[Path, typer.Option(metavar="DIR", help="where runs are kept, one folder a suite")]
BACKEND = Annotated[str, typer.Option(metavar="ray|inline", help="who schedules: Ray Tune, or a plain loop in this process")]
ADDRESS = Annotated[str | None, typer.Option(help="an existing Ray cluster to join, e.g. auto or ray://head:10001")]
CPUS = Annotated[float, typer.Option(min=0.01, help="CPUs of a trial, and its threads")]
GPUS = Annotated[float | None, typer.Option(min=0, help="GPUs of a trial, fractions allowed [default: 1 if any]")]
DEVICE = Annotated[str, typer.Option(help="auto, cpu or cuda")]
VERBOSE = Annotated[bool, typer.Option("--verbose", "-v", help="Ray's own messages too")]
DATA = Annotated[str | None, typer.Option(metavar="DIR", help="where image sets are found (else LT_DATA, else downloaded)")]
RUNS = Path("results") / "runs"
BAD_INPUT, SOME_FAILED, ALL_FAILED, STOPPED = 2, 3, 4, 130  # exit codes; 0: all is well, 1: `verify` found another figure


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="methods|datasets|suites|spaces|models|recipes|tables|plots|metrics")],
    pattern: Annotated[str, typer.Argument(metavar="GLOB", help="such as 'cb_*'")] = "*",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List what there is, by glob."""
    from bench.cli import listing
    from bench.cli import wording as output

    if what not in listing.LISTINGS:
        raise unknown("kind of thing", what, listing.LISTINGS)
    items = listing.LISTINGS[what](pattern)
    if as_json:
        print(json.dumps(items, indent=1, ensure_ascii=False))
    elif not items:
        raise UserError(f"no {what} match '{pattern}': see `list {what}`")
    elif what == "methods":
        print(output.methods_listing(items))
    else:
        print(output.aligned([[i["name"], i["about"]] for i in items], indent=""))


@app.command("plan")
def plan_(
    suites: SUITES,
    only: ONLY = None,
    where: WHERE = None,
    seeds: SEEDS = None,
    epochs: EPOCHS = None,
    precision: PRECISION = None,
    limit: LIMIT = None,
    retry_failed: RETRY = False,
    workers: Annotated[int, typer.Option(min=1, help="trials at a time to price for")] = 2,
    out: OUT = RUNS,
) -> None:
    """Say what a run would do and cost. Starts nothing."""
    from bench.cli import wording as output
    from bench.suites import cost
    from bench.suites.group import planned

    plans = planned(
        suites, out, only=only, where=_where(where), seeds=_seeds(seeds), epochs=epochs, precision=precision, limit=limit,
        retry_failed=retry_failed,
    )  # fmt: skip
    seconds = 0.0
    for plan, store in plans:
        estimate = cost.estimate(plan.todo, store.frame())
        print(output.plan_words(plan, estimate, workers), flush=True)
        seconds += estimate.seconds
    if len(plans) > 1:
        print(output.total_words([plan for plan, _ in plans], seconds, workers))


@app.command("run")
def run_(
    suites: SUITES,
    backend: BACKEND = "ray",
    address: ADDRESS = None,
    cpus_per_trial: CPUS = 1,
    gpus_per_trial: GPUS = None,
    device: DEVICE = "auto",
    only: ONLY = None,
    where: WHERE = None,
    seeds: SEEDS = None,
    epochs: EPOCHS = None,
    precision: PRECISION = None,
    limit: LIMIT = None,
    retry_failed: RETRY = False,
    trial_timeout: Annotated[float | None, typer.Option(min=0.001, metavar="SECONDS", help="end a trial after this long")] = None,
    checkpoint_every: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how often a trial saves its own state")] = 30,
    data: DATA = None,
    out: OUT = RUNS,
    embed: Annotated[
        bool,
        typer.Option(
            "--embed",
            help="keep what `plot tsne` and `plot translations` draw: test images by their features, images that generators make",
        ),
    ] = False,
    verbose: VERBOSE = False,
) -> None:
    """Run what is missing of the suites, then print and write their tables and reports. The same command again goes on.

    Exit code 0: every trial that was asked for is finished; 3: some failed, now or before; 4: all failed; 2: bad input; 130:
    stopped by Ctrl-C.
    """
    import bench
    from bench.records.folder import refuse_committed
    from bench.running.backends import Interrupted
    from bench.suites.advice import recipe_notes
    from bench.suites.group import fetch_data, planned

    selection: dict[str, Any] = {
        "only": only, "where": _where(where), "seeds": _seeds(seeds), "epochs": epochs, "precision": precision, "limit": limit,
        "retry_failed": retry_failed,
    }  # fmt: skip
    planned_into = planned(suites, out, **selection)
    for _, store in planned_into:  # of all, before the first begins
        refuse_committed(store.path)
    plans = [plan for plan, _ in planned_into]
    if len(plans) > 1:
        fetch_data(plans, data)
    statuses: list[str] = []
    for plan in plans:
        suite = plan.suite
        for note in recipe_notes(plan.todo):
            print(f"{suite.name}: note: {note}", flush=True)
        try:
            store = bench.run(
                suite, out=out, backend=backend, address=address, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial,
                device=device, trial_timeout=trial_timeout, checkpoint_every=checkpoint_every, data=data, embed=embed,
                verbose=verbose, **selection,
            )  # fmt: skip
        except Interrupted:
            print("stopped; every finished trial is kept. Give the same command again to go on.")
            raise SystemExit(STOPPED) from None
        _show(store, suite.table)
        known = store.statuses()
        here = [known.get(spec.trial_id, "") for spec in plan.specs]
        statuses += here
        _outcome(here, store.path)
    raise SystemExit(_outcome(statuses))


def _outcome(statuses: Sequence[str], folder: Path | None = None) -> int:
    """The exit code of trials that ended so; with ``folder`` it is put into a sentence too, if it is not 0."""
    from lt_core.result import OK

    failed = len(statuses) - statuses.count(OK)
    if failed and folder:
        remedy = f"see `bench.py status {folder}` for the causes; --retry-failed runs them again"
        print(f"{failed} of {len(statuses)} trials failed: {remedy}", file=sys.stderr, flush=True)
    return 0 if not failed else ALL_FAILED if failed == len(statuses) else SOME_FAILED


def _show(store: Any, table: str) -> None:
    """A run's table, and the files that it and the report were written to."""
    from bench.cli.wording import file_list
    from bench.records.frames import BUILDERS
    from bench.report.outcome import write_report, write_tables

    files = write_tables(store, table)
    print()
    print(_render(table, store, "terminal"))
    print()
    print(f"tables   {file_list([f for f in files if f.parent.name == 'tables'])}")
    for file in files:
        if file.parent.name == "plots":
            print(f"plot     {file}")
    print(f"parquet  {file_list([store.path / f'{n}.parquet' for n in BUILDERS])}")
    print(f"report   {write_report(store)}", flush=True)


@app.command("tune")
def tune_(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="a tuning space by name or YAML file; see `list spaces`")],
    trials: Annotated[int | None, typer.Option(min=1, help="settings that each study tries, in place of the space's")] = None,
    sampler: Annotated[str | None, typer.Option(metavar="tpe|gp|cmaes|random|grid", help="who proposes settings")] = None,
    pruner: Annotated[str | None, typer.Option(metavar="none|median|asha", help="who stops trials without promise")] = None,
    fresh_seeds: Annotated[int | None, typer.Option(min=1, help="other seeds that the winner is run on")] = None,
    study_seed: Annotated[int, typer.Option(min=0, help="seed of the sampler")] = 0,
    plan: Annotated[bool, typer.Option("--plan", help="say what it would do and cost; start nothing")] = False,
    retry_failed: RETRY = False,
    backend: BACKEND = "ray",
    address: ADDRESS = None,
    cpus_per_trial: CPUS = 1,
    gpus_per_trial: GPUS = None,
    device: DEVICE = "auto",
    data: DATA = None,
    out: OUT = RUNS,
    verbose: VERBOSE = False,
) -> None:
    """Search for the best hyperparameters on the validation split, then test the winner on fresh seeds.

    Exit code 0: every trial of the search and of the test ended well or was stopped by the pruner; 3: some failed, now or
    before; 4: all failed; 2: bad input; 130: stopped by Ctrl-C.
    """
    import bench
    from bench.cli import wording as output
    from bench.report.render import FORMATS
    from bench.running.backends import Interrupted
    from bench.tuning import outcome, summary
    from bench.tuning.space import load_space
    from bench.tuning.winners import NothingFinished

    chosen = load_space(space, trials=trials, sampler=sampler, pruner=pruner, fresh_seeds=fresh_seeds)
    if plan:
        print(output.space_words(chosen, workers=2))
        return
    try:
        store, found = bench.tune(
            chosen, out=out, backend=backend, address=address, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial,
            device=device, data=data, study_seed=study_seed, retry_failed=retry_failed, verbose=verbose,
        )  # fmt: skip
    except Interrupted:
        print("stopped; every finished trial is kept. Give the same command again to go on.")
        raise SystemExit(STOPPED) from None
    except NothingFinished as error:
        _refuse(str(error))
        raise SystemExit(_searched(out / chosen.name)) from None
    files = outcome.write(chosen, found, store)
    print()
    print(FORMATS["terminal"][0](summary.table(chosen, found, store)))
    print()
    print(output.tuned_words(found, store, files))
    raise SystemExit(_searched(store.path))


def _searched(folder: Path) -> int:
    """The exit code of a search; trials that the pruner stopped are no failures."""
    from bench.records.store import Store
    from lt_core.result import PRUNED

    return _outcome([status for status in Store(folder).statuses().values() if status != PRUNED], folder)


@app.command("table")
def table_(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="see `list tables`")],
    run: Annotated[str, typer.Option(metavar="RUN", help="a run by name or folder")],
    metric: Annotated[
        str | None, typer.Option(metavar="METRIC", help="figure to show and to sort by; see `list metrics`")
    ] = None,
    format: Annotated[str, typer.Option(metavar="terminal|md|csv|latex|json")] = "terminal",
) -> None:
    """Print a table of a run."""
    from bench.records.store import Store

    print(_render(name, Store.open(run), format, metric))


@app.command("status")
def status_(run: Annotated[str, typer.Argument(metavar="RUN", help="a run by name or folder")]) -> None:
    """Count a run's trials, and group its failures by cause."""
    from bench.cli import wording as output
    from bench.records.store import Store

    print(output.status_words(Store.open(run)))


@app.command("compare")
def compare_(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run by name or folder")],
    against: Annotated[str, typer.Option(metavar="LABEL", help="the baseline")] = "softmax",
    metric: Annotated[str, typer.Option(metavar="METRIC", help="figure to compare; see `list metrics`")] = "acsa",
    format: Annotated[str, typer.Option(metavar="terminal|md|csv|latex|json")] = "terminal",
) -> None:
    """Compare every method of a run with a baseline, in pairs of trials that share images and seeds."""
    from bench.records.store import Store
    from bench.report.render import FORMATS
    from bench.report.tables.compare import build

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    print(FORMATS[format][0](build(Store.open(run).frame(), metric, against)))


@app.command("leaderboard")
def leaderboard_(
    run: Annotated[list[str] | None, typer.Option(metavar="RUN", help="by name or folder; repeat it [default: all]")] = None,
    metric: Annotated[str, typer.Option(metavar="METRIC", help="figure that ranks; see `list metrics`")] = "acsa",
    sort: Annotated[str | None, typer.Option(metavar="METRIC|average_rank", help="sort by this in place of the metric")] = None,
    columns: Annotated[str | None, typer.Option(metavar="LIST", help="columns, such as acsa,few,seconds,command")] = None,
    only: ONLY = None,
    format: Annotated[str, typer.Option(metavar="terminal|md|csv|latex|json")] = "terminal",
) -> None:
    """Rank every method of one run or several, data column by data column, beside what papers print."""
    from bench.analysis.leaderboard import leaderboard
    from bench.report.export import frame_of, runs
    from bench.report.render import FORMATS
    from bench.report.tables.leaderboard import build, choose

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    chosen = choose(columns)
    board = leaderboard(frame_of(runs(run or [])), metric)
    print("\n\n".join(FORMATS[format][0](table) for table in build(board, metric, chosen, sort, only)))


@app.command("export")
def export_(
    run: Annotated[
        list[str] | None, typer.Option(metavar="RUN", help="a run by name or folder; repeat it [default: the committed ones]")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the files")] = Path("results") / "leaderboard",
    metric: Annotated[str, typer.Option(metavar="METRIC", help="figure that ranks; see `list metrics`")] = "acsa",
) -> None:
    """Write the leaderboard in every format; the same records give the same bytes."""
    from bench.cli import wording as output
    from bench.report.export import committed, export, runs

    print(output.file_list(export(runs(run) if run else committed() or runs([]), out, metric)))


@app.command("merge")
def merge_(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="runs by name or folder")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the joined run")],
) -> None:
    """Join runs from several machines into one."""
    from bench.records.merge import merge
    from bench.records.store import Store

    added, shared = merge([Store.open(run) for run in runs], out)
    print(f"{out}: {added} records added, {shared} trials were there more than once")


@app.command("verify")
def verify_(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run by name or folder")],
    sample: Annotated[int, typer.Option(min=1, metavar="N", help="trials to run again")] = 5,
    sample_seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="SEED", help="draw those of an earlier call again [default: another draw each time]"),
    ] = None,
    device: DEVICE = "auto",
    data: DATA = None,
) -> None:
    """Run random trials of a run again and compare.

    On the same kind of device the figures must agree to the bit; exit code 1 if those of one trial do not. On another kind
    (processor, threads, precision or torch) they are a replicate, and the spread between the two is told.
    """
    import secrets

    from bench.records.store import Store
    from bench.running.verify import Verdict, runtime_like, spread, verify

    store, verdicts = Store.open(run), list[Verdict]()
    seed = secrets.randbelow(10**6) if sample_seed is None else sample_seed
    try:
        for verdict in verify(store, sample, runtime_like(store, data, device), seed):
            verdicts.append(verdict)
            print(f"{verdict.kind:<9}  {verdict.trial_id}  {verdict.label}: {verdict.words}", flush=True)
    finally:  # of a call that was stopped too
        for line in spread(verdicts):
            print(line)
        if verdicts:
            print(f"drawn with --sample-seed {seed}", flush=True)
    if not all(verdict.good for verdict in verdicts):
        raise SystemExit(1)


@app.command("plot")
def plot_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="see `list plots`")],
    run: Annotated[str, typer.Option(metavar="RUN", help="a run by name or folder")],
    only: Annotated[str, typer.Option(metavar="GLOB", help="only these methods or labels")] = "*",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="PDF, SVG or PNG; else in the run's folder")] = None,
) -> None:
    """Draw a figure of a run."""
    from bench.records.store import Store
    from bench.report.plots import PLOTS, write

    draw, store = PLOTS[kind], Store.open(run)
    file = out or store.path / "plots" / f"{kind}.svg"
    write(draw(store, only), file)
    print(file)


@app.command("report")
def report_(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run by name or folder")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="an HTML file; else report.html in the run's folder")] = None,
) -> None:
    """Write a run as one HTML page: leaderboard, charts, failures, provenance, commands."""
    from bench.records.store import Store
    from bench.report import page as report

    store = Store.open(run)
    file = out or store.path / "report.html"
    report.write(store, file)
    print(file)


def _render(name: str, store: Any, format: str, metric: str | None = None) -> str:
    from bench.report.render import FORMATS
    from bench.report.tables import TABLES

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    return FORMATS[format][0](TABLES[name](store.frame(), metric, store.per_class()))


def _where(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(key.strip() and value.strip() for key, _, value in pairs):
        raise UserError(f"--where must be such as dataset=cifar10,imbalance_factor=100; got '{text}'")
    keys = [key.strip() for key, _, _ in pairs]
    if len(set(keys)) < len(keys):
        raise UserError(f"--where takes one value for each key; got '{text}'")
    return {key: value.strip() for key, (_, _, value) in zip(keys, pairs, strict=True)}


def _seeds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        seeds = [int(s) for s in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or (seeds == [0] and "," not in text):
        raise UserError(f"--seeds must be a number of seeds from 1 up, or seeds such as 0,3,7; got '{text}'")
    return seeds if "," in text else list(range(seeds[0]))


def main() -> None:
    """Run the command line; bad input ends in one sentence and exit code 2."""
    try:
        # Typer's own handling prints usage around an error; one sentence is enough.
        code = app(standalone_mode=False)
    except UserError as error:
        code = _refuse(str(error))
    except KeyboardInterrupt:
        code = STOPPED
    except Exception as error:
        # Typer brings its own copy of click or uses the installed one: its usage errors are known by this method.
        if not hasattr(error, "format_message"):
            raise
        code = _refuse(error.format_message())
    raise SystemExit(code or 0)


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return BAD_INPUT
