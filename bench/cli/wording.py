"""What the command line says about plans, costs and status (see also `listing` and `tune_wording`)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records.columns import describe_trial, imbalance_words, label_words
from bench.records.foreign import printed
from bench.records.layout import SECONDS
from bench.suites.advice import recipe_notes
from lt_core.labels import counted, duration
from lt_core.result import OK, PRUNED

if TYPE_CHECKING:  # pricing imports torch, and `status` must not wait for that
    from bench.records.store import Store
    from bench.suites.cost import Estimate
    from bench.suites.planning import Plan
    from lt_core.spec import TrialSpec


_SHORT = 60.0  # seconds of trials below which the start of a run, such as that of Ray, takes a large part of its time


def announce(sentence: str) -> None:
    """Say on standard error what takes a while; standard output holds only what was asked for."""
    print(f"{sentence} …", file=sys.stderr, flush=True)


def plan_words(plan: Plan, estimate: Estimate, workers: int) -> str:
    """What a run of ``plan`` would do and cost."""
    counts = plan.counts()
    lines = [
        f"{plan.suite.name}: {plan.suite.about}",
        f"  {_counts_words(counts)}",
    ]
    rows: dict[tuple[str, str, int], list[TrialSpec]] = {}
    for spec in plan.specs:
        rows.setdefault((spec.data.dataset, spec.recipe.label, spec.recipe.epochs), []).append(spec)
    for (dataset, recipe, epochs), specs in rows.items():
        factors = _imbalances(specs)
        labels = dict.fromkeys(filter(None, (label_words(s.data) for s in specs)))
        methods, seeds = {s.method.label for s in specs}, {s.seed for s in specs}
        subsets = {s.data.subset_seed for s in specs}
        models = dict.fromkeys(s.recipe.model for s in specs)
        lines.append(
            f"  {dataset}: {counted(len(methods), 'method')} × {counted(len(factors), 'imbalance')} ({', '.join(factors)}) × "
            + (f"{counted(len(labels), 'label budget')} ({', '.join(labels)}) × " if labels else "")
            + (f"{counted(len(models), 'model')} ({', '.join(models)}) × " if len(models) > 1 else "")
            + (f"{counted(len(subsets), 'subset')} × " if len(subsets) > 1 else "")
            + f"{counted(len(seeds), 'seed')}, recipe {recipe}, {counted(epochs, 'epoch')}"
        )
    lines += [f"  note: {note}" for note in recipe_notes(plan.specs)]
    if plan.todo:
        basis = []
        if estimate.measured:
            basis.append(f"{counted(estimate.measured, 'trial')} estimated from finished trials")
        if estimate.calibrated:
            basis.append(f"{estimate.calibrated} by timing a few steps on this machine")
        if estimate.counted:
            basis.append(f"{estimate.counted} by counting operations, relative to {estimate.beside}")
        each = estimate.seconds / len(plan.todo)
        lines.append(
            f"  remaining cost: {duration(estimate.seconds)} of trial time, {duration(each)} per trial; "
            f"{about(estimate.seconds / workers)} with {workers} at a time{_start(estimate.seconds)} ({'; '.join(basis)})"
        )
    else:
        lines.append("  nothing left to run")
    return "\n".join(lines)


def _imbalances(specs: Sequence[TrialSpec]) -> list[str]:
    """The imbalances of the data, with the size of the largest class where it tells them apart."""
    found: dict[str, dict[int, None]] = {}
    for spec in specs:
        found.setdefault(imbalance_words(spec.data), {})[spec.data.n_max] = None
    return [
        f"{words} with {n_max:,} images in the largest class" if len(sizes) > 1 else words
        for words, sizes in found.items()
        for n_max in sizes
    ]


def _counts_words(counts: Mapping[str, int]) -> str:
    """The result of `Plan.counts` in words: ``16 trials, 4 done, 0 failed, 12 left``."""
    rest = [f"{n} {word}" for word, n in counts.items() if word != "trials"]
    return ", ".join([counted(counts["trials"], "trial"), *rest])


def total_words(plans: Sequence[Plan], seconds: float, workers: int) -> str:
    """What several plans would do and cost together."""
    counts: Counter[str] = Counter()
    for plan in plans:
        counts.update(plan.counts())
    cost = (
        f"remaining cost: {duration(seconds)} of trial time; {about(seconds / workers)} with {workers} at a time{_start(seconds)}"
    )
    return f"{len(plans)} suites: {_counts_words(counts)}\n  {cost if counts['left'] else 'nothing left to run'}"


def _start(seconds: float) -> str:
    """What an estimate in seconds leaves out; it does not matter beside minutes of trials."""
    return ", plus the start of the run" if seconds < _SHORT else ""


def about(seconds: float) -> str:
    """``about 12 min``, ``under a second``."""
    return duration(seconds) if seconds < 1 else f"about {duration(seconds)}"


def status_words(store: Store) -> str:
    """Counts by status, and failures grouped by cause."""
    frame = store.frame()
    counts = frame["status"].value_counts()
    spent = frame[list(SECONDS)].sum().sum()
    lines = [f"{store.path}: {counted(len(frame), 'trial')}: " + ", ".join(f"{n} {s}" for s, n in counts.items())]
    devices = frame["device_name"].dropna().unique()
    lines.append(f"  {duration(float(spent))} of trial time on {', '.join(map(str, devices)) or 'no device'}")
    bad = frame[~frame["status"].isin([OK, PRUNED])]
    for (status, cause), rows in sorted(bad.groupby(["status", "cause"]), key=lambda item: -len(item[1])):
        lines.append(f"  {len(rows)} {status}: {cause}")
        lines += [f"      {describe_trial(row)} ({row['trial_id']})" for row in rows.head(3).to_dict("records")]
        if len(rows) > 3:
            lines.append(f"      and {len(rows) - 3} more")
    if len(bad):
        lines.append("  lost trials run again automatically; to run the others again, repeat the run command with --retry-failed")
    return printed("\n".join(lines))


def file_list(files: Sequence[Path]) -> str:
    """The files of one folder, abbreviated: ``folder/{a.md, b.csv}``."""
    return f"{files[0].parent}/{{{', '.join(f.name for f in files)}}}"
