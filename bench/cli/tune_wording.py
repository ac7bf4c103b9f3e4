"""What the command line says about tuning: what a space contains and costs, and what its studies found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.cli.wording import about, announce, file_list
from bench.records.layout import SECONDS
from bench.records.store import Store
from bench.tuning.space import Space
from lt_core.labels import counted, duration
from lt_core.result import LOST


def space_words(space: Space, workers: int, store: Store | None = None) -> str:
    """What a tuning space contains, and what it costs if settings are spread evenly over the space or are all the slowest. If a
    run in ``store`` has begun, its trials tell what the rest takes.
    """
    from bench.suites.cost import Prices
    from bench.tuning.pricing import trial_cost

    lines, prices = [f"{space.name}: {space.about}"], Prices(announce)
    trials, even, most = 0, 0.0, 0.0
    shared = space.shared_axes()
    if shared:
        lines.append(f"  every study tunes {', '.join(shared)}")
    if space.baseline:
        lines.append(f"  every study is compared with {space.baseline}")
    for study in space.studies:
        grid = len(study.grid()) if space.sampler == "grid" else 0
        settings = min(filter(None, (space.trials, grid)), default=0)
        axes = ", ".join(axis.name for axis in study.axes if axis.name not in shared)
        by = f" by {axes}" if axes else ""
        lines.append(f"  {study.name}: {' or '.join(study.methods)}{by}; first {study.method(study.first).label}")
        budget = counted(settings, "setting") if settings else f"{space.gpu_hours:g} hours"
        judged, confirmed = len(space.data) * len(space.seeds), len(space.fresh_data) * len(space.fresh_seeds)
        each, hours = trial_cost(space, study, prices), 0 if settings else 3600 * space.gpu_hours
        number = settings * judged + 2 * confirmed
        cost = (number * each.mean + hours, number * each.most + hours)
        lines.append(
            f"    {budget} × {counted(judged, 'trial')} by {space.sampler}, then 2 × {confirmed} on new {fresh_words(space)}: "
            f"{_range(*cost)}"
        )
        trials, even, most = trials + number, even + cost[0], most + cost[1]
    at_once = f"{_range(even / workers, most / workers, about)} with {workers} at a time"
    lines.append(f"  in total {_range(even, most)} of trial time; {at_once}")
    if duration(most) != duration(even):
        lines.append("  the first figure is for settings spread evenly over the space, the second for the slowest ones")
    return "\n".join([*lines, *_begun_words(0 if space.gpu_hours else trials, store, workers)])


def _range(even: float, most: float, words: Callable[[float], str] = duration) -> str:
    """``12 min``, or ``12 min to 1.5 h``."""
    return words(even) if duration(most) == duration(even) else f"{words(even)} to {duration(most)}"


def _begun_words(trials: int, store: Store | None, workers: int) -> Iterator[str]:
    """A line on the trials that have ended in ``store``, and what is left of at most ``trials`` at their pace; 0: unknown."""
    if store is None:
        return
    frame = store.frame()
    ended = int((frame["status"] != LOST).sum())
    if not ended:
        return
    each = float(frame[list(SECONDS)].sum().sum()) / ended
    left = max(0, trials - ended)
    rest = f"; at most {left:,} are left, {about(each * left / workers)} with {workers} at a time" if left else ""
    yield f"  trials that have ended in {store.path}: {ended:,}, {duration(each)} each on average{rest}"


def fresh_words(space: Space) -> str:
    """What the winners are confirmed on."""
    return "seeds" if space.fresh_data == space.data else "subsets and seeds"


def tuned_words(found: Sequence[Any], store: Store, files: Sequence[Path]) -> str:
    """What is said about studies after their tables: importances, Pareto fronts, files, and the next commands."""
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
