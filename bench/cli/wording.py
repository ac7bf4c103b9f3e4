"""What the command line says besides tables and lists: plans, costs, status, and what a search found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.records.columns import describe_trial, imbalance_words, label_words
from bench.records.layout import SECONDS
from bench.records.store import Store
from bench.suites.advice import recipe_notes
from bench.suites.cost import Estimate, duration
from bench.suites.planning import Plan
from bench.tuning.space import Space
from lt_core.result import OK, PRUNED


def plan_words(plan: Plan, estimate: Estimate, workers: int) -> str:
    """What a plan would do and cost."""
    counts = plan.counts()
    lines = [
        f"{plan.suite.name}: {plan.suite.about}",
        "  " + ", ".join(f"{n} {word}" for word, n in counts.items()),
    ]
    for dataset in dict.fromkeys(s.data.dataset for s in plan.specs):
        specs = [s for s in plan.specs if s.data.dataset == dataset]
        factors = dict.fromkeys(imbalance_words(s.data) for s in specs)
        labels = dict.fromkeys(filter(None, (label_words(s.data) for s in specs)))
        methods, seeds = {s.method.label for s in specs}, {(s.seed, s.data.subset_seed) for s in specs}
        lines.append(
            f"  {dataset}: {len(methods)} methods × {len(factors)} imbalances ({', '.join(factors)}) × "
            + (f"{len(labels)} label budgets ({', '.join(labels)}) × " if labels else "")
            + f"{len(seeds)} seeds, "
            f"recipe {specs[0].recipe.label}, {specs[0].recipe.epochs} epochs"
        )
    lines += [f"  note: {note}" for note in recipe_notes(plan.specs)]
    if plan.todo:
        basis = []
        if estimate.measured:
            basis.append(f"{estimate.measured} trials priced by finished ones")
        if estimate.calibrated:
            basis.append(f"{estimate.calibrated} by a calibration of a few steps here")
        each = estimate.seconds / len(plan.todo)
        lines.append(
            f"  cost of what is left: {duration(estimate.seconds)} of trial time, {duration(each)} a trial; about "
            f"{duration(estimate.seconds / workers)} with {workers} at a time ({'; '.join(basis)})"
        )
    else:
        lines.append("  nothing is left to run")
    return "\n".join(lines)


def total_words(plans: Sequence[Plan], seconds: float, workers: int) -> str:
    """What several plans would do and cost together."""
    counts: Counter[str] = Counter()
    for plan in plans:
        counts.update(plan.counts())
    return (
        f"{len(plans)} suites: {', '.join(f'{n} {word}' for word, n in counts.items())}\n"
        f"  cost of what is left: {duration(seconds)} of trial time; about {duration(seconds / workers)} with {workers} at a time"
    )


def status_words(store: Store) -> str:
    """Counts by status, and failures grouped by cause."""
    frame = store.frame()
    counts = frame["status"].value_counts()
    spent = frame[list(SECONDS)].sum().sum()
    lines = [f"{store.path}: {len(frame)} trials: " + ", ".join(f"{n} {s}" for s, n in counts.items())]
    devices = frame["device_name"].dropna().unique()
    lines.append(f"  {duration(float(spent))} of trial time on {', '.join(map(str, devices)) or 'no device'}")
    bad = frame[~frame["status"].isin([OK, PRUNED])]
    for (status, cause), rows in sorted(bad.groupby(["status", "cause"]), key=lambda item: -len(item[1])):
        lines.append(f"  {len(rows)} {status}: {cause}")
        lines += [f"      {describe_trial(row)} ({row['trial_id']})" for row in rows.head(3).to_dict("records")]
        if len(rows) > 3:
            lines.append(f"      and {len(rows) - 3} more")
    if len(bad):
        lines.append("  lost trials run again by themselves; for the others give the run command with --retry-failed")
    return "\n".join(lines)


def space_words(space: Space, workers: int) -> str:
    """What a tuning space asks for, and what it would cost by the price of each study's first setting."""
    from bench.suites.cost import estimate

    lines, seconds = [f"{space.name}: {space.about}"], 0.0
    for study in space.studies:
        grid = len(study.grid()) if space.sampler == "grid" else 0
        settings = min(filter(None, (space.trials, grid)), default=0)
        axes = ", ".join(axis.name for axis in study.axes)
        lines.append(f"  {study.name}: {' or '.join(study.methods)} by {axes}; first {study.method(study.first).label}")
        budget = f"{settings} settings" if settings else f"{space.gpu_hours:g} hours"
        specs = space.specs(study, study.first)
        fresh = space.specs(study, study.first, space.fresh_seeds)
        cost = estimate([*specs * settings, *fresh * 2]).seconds + (0 if settings else 3600 * space.gpu_hours)
        lines.append(
            f"    {budget} × {len(specs)} trials by {space.sampler}, then 2 × {len(fresh)} on fresh seeds: {duration(cost)}"
        )
        seconds += cost
    return "\n".join(
        [*lines, f"  in all {duration(seconds)} of trial time; about {duration(seconds / workers)} with {workers} at a time"]
    )


def tuned_words(found: Sequence[Any], store: Store, files: Sequence[Path]) -> str:
    """What else there is to say of studies: what mattered, the Pareto fronts, the files, and how to go on."""
    from bench.tuning.drawings import importances

    lines = []
    for one in found:
        shares = " · ".join(f"{axis} {share:.2f}" for axis, share in importances(one.search).items())
        if shares:
            lines.append(f"importance  {one.study.name}: {shares}")
        for trial in one.front:
            values = ", ".join(
                f"{name} {value:.4g}" for name, value in zip(one.search.space.objectives, trial.values, strict=True)
            )
            lines.append(f"front       {one.label(trial.user_attrs['setting'])}: {values}")
    for name, folder in (("tables", "tables"), ("plots", "plots")):
        there = [file for file in files if file.parent.name == folder]
        lines += [f"{name:<12}{file_list(there)}"] if there else []
    lines += [f"winner      python bench.py run {file}" for file in files if file.suffix == ".yaml"]
    return "\n".join([*lines, f"dashboard   optuna-dashboard {store.path / 'studies.journal'}"])


def file_list(files: Sequence[Path]) -> str:
    """Files of one folder in short: ``folder/{a.md, b.csv}``."""
    return f"{files[0].parent}/{{{', '.join(f.name for f in files)}}}"
