"""Images of the largest class as translated by generators, by method, data column and class (for runs with --embed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.analysis.comparable import chosen
from bench.records.columns import describe_trial
from bench.report.charts import Axis, Chart, Panel, Picture
from bench.report.plots.base import first_trials, others
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store
    from lt_core.result import TrialResult
    from lt_core.spec import DataSpec

_PANELS = 12


def draw(store: Store, only: str = "*") -> Chart:
    """For each label and data column, the first subset and seed that kept pictures; at most twelve panels.

    Raises:
        UserError: no trial of the run kept pictures.
    """
    wanted = store.having("pictures") & set(chosen(store.frame(), only)["trial_id"])
    first = first_trials(result for result in store.results_of(wanted) if result.pictures)
    if not first:
        raise UserError(f"{store.path} has no trial with kept images: run a method that generates images, with --embed")
    beside = [data for _, data in first]
    panels = [_panel(result, shown, beside) for result in first.values() for shown in result.pictures]
    notes = ["rows: real images of the largest class, their translations by the generator, real images of the smaller class"]
    if len(panels) > _PANELS:
        notes.append(f"only the first {_PANELS} of {len(panels)} generators are drawn; {others(store, 'translations')}")
    return Chart("translations", "Generated images", tuple(panels[:_PANELS]), tuple(notes), columns=2)


def _panel(result: TrialResult, shown: Mapping[str, Any], beside: Sequence[DataSpec]) -> Panel:
    data, counts = result.spec.data, result.train_counts
    names = DATASETS[data.dataset].class_names or tuple(map(str, range(len(counts))))
    head, tail = shown["made_of"], shown["label"]
    rows = (f"{names[head]} ({counts[head]})", f"as {names[tail]}", f"{names[tail]} ({counts[tail]})")
    title = describe_trial(result.spec, beside)
    if scores := shown.get("scores"):
        title += f"; {100 * scores['inception_accuracy']:.0f} % are taken for {names[tail]}"
    return Panel(title, Axis(), Axis(), picture=Picture(shown["png"], rows), bare=True)
