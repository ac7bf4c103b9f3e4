"""The class profile of an image set: training images of every class, head to tail."""

from __future__ import annotations

import pandas as pd

from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.plots.base import floats
from bench.report.plots.per_class import shots
from lt_core.data.registered import Definition


def draw(definition: Definition) -> Chart:
    """One panel, with the number of images on a logarithmic axis and the many-, medium- and few-shot classes shaded."""
    sizes = pd.Series(sorted(definition.train_counts, reverse=True))
    line = Series(definition.name, floats(sizes.index), floats(sizes), marks=len(sizes) <= 50)
    title = f"{definition.name}: {len(sizes)} classes, imbalance factor {sizes.max() / sizes.min():g}"
    y = Axis("training images", log=True)
    panel = Panel(title, Axis("rank of the class"), y, (line,), regions=shots(sizes), legend=False)
    return Chart("profile", "Training images of every class, from head to tail", (panel,), columns=1)
