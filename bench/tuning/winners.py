"""What a study found: its winner run again on fresh seeds, the gap, and everything that is written about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.analysis.comparable import measured_on
from bench.records.store import Store
from bench.report import render
from bench.report.tables.table import Cell, Column, Row, Table
from bench.running.backends.base import Backend
from bench.running.driver import execute
from bench.suites.planning import plan
from bench.suites.suite import Suite
from bench.tuning.axes import Setting, Study
from bench.tuning.search import Search, optuna_
from bench.tuning.space import Space
from lt_core.errors import UserError
from lt_core.labels import short
from lt_core.result import OK, TrialResult
from lt_core.spec import DataSpec, TrialSpec
from lt_core.training.runtime import Runtime


class NothingFinished(UserError):
    """A study has no winner, since every setting failed."""


@dataclass(frozen=True)
class Found:
    """The chosen setting of a study. ``front``: with several objectives, every setting that no other beats in all of them."""

    search: Search
    setting: Setting
    front: tuple[Any, ...] = ()

    @property
    def study(self) -> Study:
        return self.search.study

    def label(self, setting: Setting | None = None) -> str:
        """A setting in the notation of the tables."""
        shown = setting or self.setting
        recipe = [f"{k.removeprefix('recipe.')}={short(v)}" for k, v in shown.items() if k.startswith("recipe.")]
        return " ".join([self.study.method(shown).label, *recipe])


def winner(search: Search) -> Found:
    """The best setting by the first objective; of several objectives among those of the Pareto front.

    Raises:
        NothingFinished: no setting was finished.
    """
    state = optuna_().trial.TrialState.COMPLETE
    if not search.optuna.get_trials(deepcopy=False, states=(state,)):
        raise NothingFinished(f"no setting of study {search.study.name} was finished: see `status` for the causes")
    front = tuple(search.optuna.best_trials)
    sign = -1 if search.optuna.directions[0].name == "MAXIMIZE" else 1
    best = min(front, key=lambda t: (sign * t.values[0], t.number))
    return Found(search, best.user_attrs["setting"], front if len(search.space.objectives) > 1 else ())


def confirm(
    space: Space, found: Sequence[Found], store: Store, backend: Backend, runtime: Runtime, retry_failed: bool = False
) -> None:
    """Run winners, and the settings that they are compared with, on seeds that no study has seen."""
    specs = {
        spec.trial_id: spec
        for one in found
        for setting in (one.setting, one.study.first)
        for spec in space.specs(one.study, setting, space.fresh_seeds)
    }
    suite = Suite(f"{space.name} on fresh seeds", space.about, "catalogue", tuple(specs.values()))
    execute(plan(suite, store, retry_failed=retry_failed), store, backend, runtime)


def table(space: Space, found: Sequence[Found], store: Store) -> Table:
    """What was chosen, what it promised, and what it keeps."""
    objective = next((name for name in space.objectives if name != "seconds"), "balanced_accuracy")
    rows = []
    for one in found:
        first = "as published" if one.study.published else "as declared"
        for name, setting in ((first, one.study.first), ("tuned", one.setting)):
            seen = _figures(store, space.specs(one.study, setting), objective)
            fresh = _figures(store, space.specs(one.study, setting, space.fresh_seeds), objective)
            cells = (Cell(text=one.label(setting)), seen[0], *fresh, *(_difference(seen[0], cell) for cell in fresh))
            rows.append(Row(f"{one.study.name}, {name}", cells))
    heads = ("setting", "validation, as chosen", "validation, fresh seeds", "test, fresh seeds", "optimism", "gap")
    counts = [f"{one.study.name}: proposed by {' and '.join(one.search.samplers)}, {_counts(one.search)}" for one in found]
    notes = (
        f"{objective.replace('_', ' ')} in %, mean over the subsets; n counts seeds",
        "chosen on the validation split alone",
        "optimism, gap: what the choice promised (validation, its own seeds) − what it keeps (fresh seeds), there and on test",
        *counts,
        measured_on(store.frame()),
    )
    return Table(
        "tuning", f"{space.name}: {space.about}", "Study", tuple(Column("", h, plain=True) for h in heads), tuple(rows), notes
    )


def _difference(promised: Cell, kept: Cell) -> Cell:
    return Cell() if promised.mean is None or kept.mean is None else Cell(text=f"{promised.mean - kept.mean:+.2f}")


def _counts(search: Search) -> str:
    states = [t.state.name.lower() for t in search.optuna.get_trials(deepcopy=False)]
    words = {"complete": "finished", "pruned": "pruned", "fail": "failed", "running": "under way", "waiting": "waiting"}
    return ", ".join(f"{states.count(state)} {word}" for state, word in words.items() if state in states)


def _figures(store: Store, specs: Sequence[TrialSpec], objective: str) -> tuple[Cell, Cell]:
    """On the validation split, and on the test part: means over subsets of each seed whose trials are all finished."""
    results = {spec.trial_id: store.read(spec.trial_id) for spec in specs}
    failed = sum(r is not None and r.status != OK for r in results.values())
    of_seed: dict[int, list[TrialResult | None]] = {}
    for spec in specs:
        of_seed.setdefault(spec.seed, []).append(results[spec.trial_id])
    whole = [[r for r in row if r is not None and r.status == OK] for row in of_seed.values()]
    whole = [row for row, asked in zip(whole, of_seed.values(), strict=True) if len(row) == len(asked)]
    validation = [float(np.mean([r.validation_metrics()[objective] for r in row])) for row in whole]
    return _cell(validation, failed), _cell([float(np.mean([r.metrics()[objective] for r in row])) for row in whole], failed)


def _cell(values: Sequence[float], failed: int) -> Cell:
    if not values:
        return Cell(failed=failed)
    shown = 100 * np.asarray(values)
    return Cell(float(shown.mean()), float(shown.std(ddof=1)) if len(shown) > 1 else float("nan"), len(shown), failed)


def importances(search: Search) -> dict[str, float]:
    """How much of the spread of the first objective each axis explains (fANOVA); empty where there is too little to tell."""
    optuna = optuna_()
    target = None if len(search.space.objectives) == 1 else lambda t: t.values[0]
    try:
        return dict(optuna.importance.get_param_importances(search.optuna, target=target))
    except (ValueError, RuntimeError):
        return {}


def write(space: Space, found: Sequence[Found], store: Store) -> list[Path]:
    """Tables, the suite of each winner and figures, beside the records; the files.

    Raises:
        UserError: a folder that cannot be written.
    """
    try:
        files = render.write(table(space, found, store), store.path / "tables")
        (store.path / "plots").mkdir(exist_ok=True)
        for one in found:
            files.append(store.path / f"winner_{one.study.name}.yaml")
            files[-1].write_text(suite_text(space, one))
    except OSError as error:
        raise UserError(f"{store.path} cannot be written ({error.strerror}): make room and give the same command again") from None
    for one in found:
        files += _draw(one, store.path / "plots")
    return files


def suite_text(space: Space, one: Found) -> str:
    """A suite file of the winner on the fresh seeds, which `bench.py run` takes as it is."""
    spec = space.specs(one.study, one.setting)[0]
    changes = {k: _plain(v) for k, v in spec.recipe.changes.items()}
    values = {
        "about": f"the winner of study {one.study.name} of tuning space {space.name}, on seeds that the study has not seen",
        "recipe": {"base": spec.recipe.name, **changes},
        "data": [_changed(data) for data in space.data],
        "methods": [one.study.method(one.setting).label],
        "seeds": list(space.fresh_seeds),
        "table": "catalogue",
    }
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def _changed(data: DataSpec) -> dict[str, Any]:
    return {f.name: _plain(v) for f in dataclasses.fields(data) if (v := getattr(data, f.name)) != f.default}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _draw(one: Found, folder: Path) -> list[Path]:
    """Optuna's figures of a study: its history, slices, a contour of two axes and the importances, as far as there is something
    to see.
    """
    import matplotlib

    from bench.report.charts.paper import save

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, search, files = optuna_().visualization.matplotlib, one.search, []
    target = {"target": lambda t: t.values[0], "target_name": search.space.objectives[0].replace("_", " ") + ", validation"}
    tried = [t.params for t in search.optuna.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
    numbers = [axis.label for axis in one.study.axes if axis.values is None and len({p.get(axis.label) for p in tried}) > 3]
    figures = {
        "history": lambda: drawn.plot_optimization_history(search.optuna, **target),
        "slice": lambda: drawn.plot_slice(search.optuna, **target),
        "contour": lambda: drawn.plot_contour(search.optuna, params=numbers[:2], **target),
        "importances": lambda: drawn.plot_param_importances(search.optuna, **target),
    }
    for kind, draw in figures.items():
        if (kind == "contour" and len(numbers) < 2) or (kind == "importances" and len(importances(search)) < 2):
            continue
        axes = np.atleast_1d(np.asarray(draw(), dtype=object)).ravel()
        made = axes[0].figure
        made.set_size_inches(max(6.4, 3.0 * len(axes)), 4.2)
        if len(axes) == 1:  # a row of slices shares a scale of colours, which no layout engine takes
            made.set_layout_engine("tight")
        files.append(folder / f"{one.study.name}_{kind}.svg")
        save(made, files[-1])
        plt.close(made)
    return files
