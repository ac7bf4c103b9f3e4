"""What the command line says about tuning: what a space contains and costs, and what its studies found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cli.wording import about, announce, file_list
from bench.records.store import Store
from bench.tuning.axes import RECIPE
from bench.tuning.space import Space
from lt_core.labels import counted, duration


def space_words(space: Space, workers: int) -> str:
    """What a tuning space contains, and its cost: that of each study's first setting, with as many epochs as its settings have in
    the middle of their range.
    """
    from bench.suites.cost import Prices

    lines, seconds, prices = [f"{space.name}: {space.about}"], 0.0, Prices(announce)
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
        epochs = [axis for axis in study.axes if axis.name == f"{RECIPE}epochs" and axis.name in study.first]
        typical = {**study.first, **{axis.name: axis.middle(space.sampler == "grid") for axis in epochs}}
        specs, fresh = space.specs(study, typical), space.specs(study, typical, fresh=True)
        cost = prices.estimate([*specs * settings, *fresh * 2]).seconds + (0 if settings else 3600 * space.gpu_hours)
        searched, confirmed = f"{budget} × {counted(len(specs), 'trial')}", f"2 × {len(fresh)} on new {fresh_words(space)}"
        lines.append(f"    {searched} by {space.sampler}, then {confirmed}: {duration(cost)}")
        seconds += cost
    return "\n".join(
        [*lines, f"  in total {duration(seconds)} of trial time; {about(seconds / workers)} with {workers} at a time"]
    )


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
