"""Test images by their features, t-SNE in two dimensions, coloured by class: one panel a method (runs made with --embed)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.analysis.comparable import chosen
from bench.records.columns import data_column, describe_trial
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import floats
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store
    from lt_core.result import TrialResult
    from lt_core.spec import DataSpec

_PANELS = 12


def draw(store: Store, only: str = "*") -> Chart:
    """The first embedded trial of each label and data column; at most twelve.

    Raises:
        UserError: no trial of the run was embedded.
    """
    shown: dict[tuple[str, DataSpec], TrialResult] = {}
    wanted = store.having("embedding") & set(chosen(store.frame(), only)["trial_id"])
    for result in store.results_of(wanted):
        if result.embedding:
            shown.setdefault((result.spec.method.label, data_column(result.spec.data)), result)
    if not shown:
        raise UserError(f"{store.path} has no embedded trial: run it with --embed")
    beside = [data for _, data in shown]
    panels = [_panel(result, beside, legend=place == 0) for place, result in enumerate(list(shown.values())[:_PANELS])]
    notes = ["one trial a panel; t-SNE keeps neighbours, not distances", "legend: class (its training images)"]
    if any(len(_drawn(result)) < len(result.train_counts) for result in shown.values()):
        notes.append("drawn: of more than 20 classes some ten, from the largest to the smallest")
    if len(shown) > _PANELS:
        notes.append(f"drawn: the first {_PANELS} of {len(shown)} methods and data columns; choose others with --only")
    return Chart("tsne", "Test images by their features", tuple(panels), tuple(notes), size=(3.4, 3.2))


def _drawn(result: TrialResult) -> np.ndarray:
    """The classes to draw, the largest first: all, or some ten from head to tail."""
    order = np.argsort(-np.array(result.train_counts), kind="stable")
    return order[:: len(order) // 10] if len(order) > 20 else order


def _panel(result: TrialResult, beside: Sequence[DataSpec], legend: bool) -> Panel:
    x, y, label = np.array(result.embedding).T
    order = np.argsort(-np.array(result.train_counts), kind="stable")
    rank = {c: place for place, c in enumerate(order)}
    series = tuple(
        Series(
            f"{c} ({result.train_counts[c]})", floats(x[label == c]), floats(y[label == c]), kind="points", size=2.6,
            shade=1 - 0.95 * rank[c] / max(1, len(order) - 1), colour=0,
        )
        for c in _drawn(result)
    )  # fmt: skip
    return Panel(describe_trial(result.spec, beside), Axis(ticks=()), Axis(ticks=()), series, legend=legend)
