"""t-SNE of the features of test images, coloured by class, one panel per method (for runs with --embed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.analysis.comparable import chosen
from bench.records.columns import describe_trial
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import first_trials, floats, others
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store
    from lt_core.result import TrialResult
    from lt_core.spec import DataSpec

_PANELS, _CLASSES = 12, 10


def draw(store: Store, only: str = "*") -> Chart:
    """For each label and data column, the first subset and seed that has an embedding; at most twelve panels.

    Raises:
        UserError: no trial of the run has an embedding.
    """
    wanted = store.having("embedding") & set(chosen(store.frame(), only)["trial_id"])
    shown = first_trials(result for result in store.results_of(wanted) if result.embedding)
    if not shown:
        raise UserError(f"{store.path} has no trial with kept features: run it with --embed")
    beside = [data for _, data in shown]
    drawn = list(shown.values())[:_PANELS]
    names = dict.fromkeys(_names(result)[c] for result in drawn for c in _drawn(result))
    panels = [_panel(result, beside, {name: number for number, name in enumerate(names)}) for result in drawn]
    notes = [
        "each panel shows one trial; t-SNE preserves neighbourhoods, not distances",
        "legend: class, and in brackets its training images if they are as many in all panels; the largest class first",
    ]
    if any(len(_drawn(result)) < len(result.train_counts) for result in shown.values()):
        notes.append(f"drawn: of more than {_CLASSES} classes at most {_CLASSES}, from the largest to the smallest")
    if len(shown) > _PANELS:
        notes.append(
            f"only the first {_PANELS} of {len(shown)} combinations of method and data column are drawn; {others(store, 'tsne')}"
        )
    return Chart("tsne", "Features of test images", tuple(panels), tuple(notes), least=13.5, aspect=0.9)


def _drawn(result: TrialResult) -> np.ndarray:
    """The classes to draw, the largest first: all, or at most ten from head to tail, so that they differ in marks and colours."""
    order = np.argsort(-np.array(result.train_counts), kind="stable")
    return order[:: -(-len(order) // _CLASSES)]


def _names(result: TrialResult) -> tuple[str, ...]:
    """The names of the classes, as the set calls them."""
    return DATASETS[result.spec.data.dataset].class_names or tuple(map(str, range(len(result.train_counts))))


def _panel(result: TrialResult, beside: Sequence[DataSpec], colours: Mapping[str, int]) -> Panel:
    (x, y, label), names = np.array(result.embedding).T, _names(result)
    series = tuple(
        Series(
            f"{names[c]} ({result.train_counts[c]})", floats(x[label == c]), floats(y[label == c]), kind="points", size=2.6,
            colour=colours[names[c]], group=names[c],
        )
        for c in _drawn(result)
    )  # fmt: skip
    return Panel(describe_trial(result.spec, beside), Axis(ticks=()), Axis(ticks=()), series)
