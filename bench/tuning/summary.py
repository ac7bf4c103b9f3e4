"""The table of a search: the chosen setting, its figures on the validation split, and its figures on fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.analysis.comparable import measured_on
from bench.records import HEADLINE
from bench.records.store import Store
from bench.report.tables.cells import mean_cell
from bench.report.tables.table import Cell, Column, Row, Table
from bench.tuning.search import Search
from bench.tuning.space import Space
from bench.tuning.winners import Found
from lt_core.metrics import metric_of
from lt_core.result import OK, TrialResult
from lt_core.spec import TrialSpec


def table(space: Space, found: Sequence[Found], store: Store) -> Table:
    """The chosen settings, with validation and test figures."""
    objective = next((name for name in space.objectives if not metric_of(name).measured), HEADLINE)
    rows = []
    for one in found:
        first = "as published" if one.study.published else "as declared"
        for name, setting in ((first, one.study.first), ("tuned", one.setting)):
            seen = _figures(store, space.specs(one.study, setting), objective)
            fresh = _figures(store, space.specs(one.study, setting, fresh=True), objective)
            cells = (Cell(text=one.label(setting)), seen[0], *fresh, *(_difference(seen[0], cell) for cell in fresh))
            rows.append(Row(f"{one.study.name}, {name}", cells))
    heads = ("setting", "validation, as chosen", "validation, fresh seeds", "test, fresh seeds", "optimism", "gap")
    counts = [f"{one.study.name}: proposed by {' and '.join(one.search.samplers)}, {_counts(one.search)}" for one in found]
    notes = (
        f"{metric_of(objective).title}, mean over the data columns; n counts combinations of subset and seed",
        "chosen on the validation split alone",
        "optimism: validation figure as chosen − validation figure on fresh seeds; gap: validation figure as chosen − test "
        "figure on fresh seeds",
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
    """Figures on the validation split and on the test set: means over data columns, for each subset and seed whose trials have
    all finished.
    """
    results = {spec.trial_id: store.read(spec.trial_id) for spec in specs}
    failed = sum(r is not None and r.status != OK for r in results.values())
    repeats: dict[tuple[int, int], list[TrialResult | None]] = {}
    for spec in specs:
        repeats.setdefault((spec.data.subset_seed, spec.seed), []).append(results[spec.trial_id])
    whole = [[r for r in row if r is not None and r.status == OK] for row in repeats.values()]
    whole = [row for row, asked in zip(whole, repeats.values(), strict=True) if len(row) == len(asked)]
    metric = metric_of(objective)
    parts = [[float(np.mean([metric(r.outcome(validation)) for r in row])) for row in whole] for validation in (True, False)]
    on_validation, on_test = (mean_cell(metric.in_unit(np.asarray(values)), failed) for values in parts)
    return on_validation, on_test
