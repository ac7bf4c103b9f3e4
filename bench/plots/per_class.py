"""Error of every class, head to tail, one line a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.plots.base import chosen, figure, style
from bench.tables.per_class import by_class, shown
from bench.tables.table import one_budget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.store import Store


def draw(store: Store, only: str = "*") -> Figure:
    """One panel a data column; bars are standard deviations over seeds."""
    frame, _ = one_budget(chosen(store.frame(), only))
    names = shown(frame)
    columns = list(by_class(frame[frame["label"].isin(list(names))], store.per_class()))
    made, axes = figure(len(columns))
    for axis, (group, factor, errors) in zip(axes, columns, strict=True):
        sizes = errors.groupby("rank")["train_count"].first()
        for number, (label, name) in enumerate(names.items()):
            values = errors[errors["label"] == label].groupby("rank")["error"].agg(["mean", "std", "size"])
            if values.empty:
                continue
            few = len(sizes) <= 20
            axis.errorbar(
                values.index + (0.08 * (number - (len(names) - 1) / 2) if few else 0), values["mean"], values["std"].fillna(0),
                label=f"{name} (n = {values['size'].iloc[0]})", linewidth=1.2, markersize=4 if few else 0, elinewidth=0.8,
                errorevery=max(1, len(sizes) // 20), **style(number),
            )  # fmt: skip
        every = max(1, len(sizes) // 10)
        axis.set_xticks(range(0, len(sizes), every), [str(size) for size in sizes[::every]], rotation=45, ha="right")
        axis.set_title(f"{group}, imbalance factor {factor}", fontsize=10)
        axis.set_xlabel("training images of the class, largest to smallest")
        axis.set_ylabel("error of the class on the test part (%)")
        axis.set_ylim(0, 100)
        axis.legend(frameon=False, fontsize=8)
    return made
