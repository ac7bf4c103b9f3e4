"""Error of every class from head to tail, one line per method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bench.records.columns import HEADINGS
from bench.report.charts import Axis, Chart, Panel, Region, Series
from bench.report.plots.base import best, counted, finished, floats, others, spread
from bench.report.tables.per_class import by_class, in_stretches, several, shown, width_of
from lt_core.metrics import FEW, MANY

if TYPE_CHECKING:
    from bench.records.store import Store


def draw(store: Store, only: str = "*") -> Chart:
    """One panel per data column. Bars are standard deviations over seeds; shading marks many-, medium- and few-shot classes."""
    frame, notes = finished(store, only, HEADINGS)  # with the data columns of `by_class`
    names, left = _names(frame, others(store, "per_class"))
    panels, joined = [], []
    for group, factor, errors in by_class(frame[frame["label"].isin(list(names))], store.per_class()):
        title = f"{group}, imbalance factor {factor}"
        panels.append(_panel(title, errors, names))
        if width_of(errors) > 1:
            words = f"{width_of(errors)} classes of similar size, out of {errors['rank'].nunique():,}"
            joined.append(f"{title}: each point is the mean over {words}")
    shots = f"many: more than {MANY} training images; medium: {FEW} to {MANY}; few: fewer than {FEW}"
    return Chart(
        "per_class", "Error of every class, from head to tail", tuple(panels),
        ("bars: ± one standard deviation (n − 1) over trials", *joined, shots, *left, *notes),
    )  # fmt: skip


def _names(frame: pd.DataFrame, how: str) -> tuple[dict[str, str], list[str]]:
    """Labels to draw → their names: the methods of the paper if these are most of the run, else the best ones; and notes."""
    papers, all_ = shown(frame), frame["label"].nunique()
    if 2 * len(papers) >= all_ and len(papers) < all_:
        return papers, [f"only the {len(papers)} methods in the figure of Kang et al. 2021 are drawn, out of {all_}"]
    labels, left = best(frame, how)
    return {label: papers.get(label, label) if len(papers) == all_ else label for label in labels}, left


def _panel(title: str, errors: pd.DataFrame, names: dict[str, str]) -> Panel:
    sizes = errors.groupby("rank")["train_count"].first()
    few = len(sizes) <= 20
    lines = in_stretches(errors, width_of(errors))
    made = []
    for number, (label, name) in enumerate(names.items()):
        stretches = lines[lines["label"] == label].groupby("stretch")
        values, ends = stretches["error"].agg(["mean", "std", "size"]), stretches[["first", "last", "fewest", "most"]].first()
        if values.empty:
            continue
        middle = (ends["first"] + ends["last"]) / 2
        beside = 0.08 * (number - (len(names) - 1) / 2) if few else 0
        made.append(
            Series(
                f"{name} ({counted(values['size'])})", floats(middle + beside), floats(values["mean"]),
                error=floats(spread(values["std"])), every=max(1, len(values) // 20), colour=number, group=name, marks=few,
                words=tuple(map(_words, *(ends[name] for name in ends))),
            )
        )  # fmt: skip
    every = max(1, len(sizes) // 10)
    ticks = tuple((float(rank), str(sizes[rank])) for rank in range(0, len(sizes), every))
    x = Axis("training images of the class", ticks=ticks, slanted=True)
    return Panel(title, x, Axis("error of the class on the test set (%)", low=0, high=100), tuple(made), regions=shots(sizes))


def _words(first: int, last: int, fewest: int, most: int) -> str:
    """``12 training images``, or ``41 classes of 12–14 training images``."""
    return (f"{last - first + 1} classes of " if last > first else "") + f"{several(fewest, most)} training images"


def shots(sizes: pd.Series) -> tuple[Region, ...]:
    """The ranges of ranks whose classes are many-, medium- and few-shot."""
    kinds = [(sizes > MANY, "many"), ((sizes <= MANY) & (sizes >= FEW), "medium"), (sizes < FEW, "few")]
    return tuple(
        Region(float(ranks.min()) - 0.5, float(ranks.max()) + 0.5, name)
        for mask, name in kinds
        if len(ranks := sizes.index[mask])
    )
