"""What generators make of images of the largest class: one panel a method, data column and class (runs made with --embed)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charts import Axis, Chart, Panel, Picture
from bench.plots.base import chosen
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.store import Store

_PANELS = 12


def draw(store: Store, only: str = "*") -> Chart:
    """The first trial with pictures of each label and data column; at most twelve panels.

    Raises:
        UserError: no trial of the run kept pictures.
    """
    wanted, seen, panels = set(chosen(store.frame(), only)["trial_id"]), set(), []
    for result in store.results():
        data = result.spec.data
        key = (result.spec.method.label, data.dataset, data.imbalance_factor)
        if not result.pictures or result.trial_id not in wanted or key in seen:
            continue
        seen.add(key)
        names = DATASETS[data.dataset].class_names or tuple(map(str, range(len(result.train_counts))))
        for shown in result.pictures:
            head, tail = shown["made_of"], shown["label"]
            rows = (
                f"{names[head]} ({result.train_counts[head]})",
                f"as {names[tail]}",
                f"{names[tail]} ({result.train_counts[tail]})",
            )
            title = f"{key[0]}, {data.dataset} IF {data.imbalance_factor:.3g}, draw {data.subset_seed}"
            panels.append((str(key), tail, Panel(title, Axis(), Axis(), picture=Picture(shown["png"], rows), bare=True)))
    if not panels:
        raise UserError(f"{store.path} has no trial with pictures: run a method that makes images with --embed")
    panels.sort(key=lambda item: item[:2])
    notes = ["rows: real images of the largest class, what the generator makes of them, real images of the smaller class"]
    if len(panels) > _PANELS:
        notes.append(f"drawn: the first {_PANELS} of {len(panels)} generators; choose others with --only")
    shown_panels = tuple(panel for *_, panel in panels[:_PANELS])
    return Chart("translations", "Images that generators make", shown_panels, tuple(notes), columns=2, size=(4.4, 2.0))
