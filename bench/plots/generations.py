"""Recall and precision of pseudo-labels and model by class, generation by generation (as figures 1 and 3 of Wei et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.plots.base import chosen, figure
from bench.tables.table import one_budget
from lt_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.store import Store

_ROWS = (
    ("pseudo_recall", "pseudo-labels: recall (%)"),
    ("pseudo_precision", "pseudo-labels: precision (%)"),
    ("test_recall", "test part: recall (%)"),
    ("taken", "pseudo-labelled images taken in"),
)


def draw(store: Store, only: str = "*") -> Figure:
    """A row of panels a method, means over folds; the darker the line, the later the generation.

    Raises:
        UserError: the run has no semi-supervised trial.
    """
    frame, _ = one_budget(chosen(store.frame(), only))
    rounds = store.rounds().merge(frame[["trial_id", "label", "dataset", "imbalance_factor"]], on="trial_id")
    if rounds.empty:
        raise UserError(f"{store.path} has no semi-supervised trial that is finished: there is nothing to draw")
    first = rounds.iloc[0]
    rounds = rounds[(rounds["dataset"] == first["dataset"]) & (rounds["imbalance_factor"] == first["imbalance_factor"])]
    keys = ["trial_id", "round"]
    rounds = rounds.sort_values([*keys, "train_count", "class"], ascending=[True, True, False, True], kind="stable")
    rounds["rank"] = rounds.groupby(keys).cumcount()
    labels = list(dict.fromkeys(rounds["label"]))
    made, axes = figure(len(_ROWS) * len(labels), 3.2, 2.5, columns=len(_ROWS))
    from matplotlib import colormaps

    shades = colormaps["viridis_r"]
    for place, (label, (column, words)) in enumerate((a, b) for a in labels for b in _ROWS):
        axis, mine = axes[place], rounds[rounds["label"] == label]
        last = max(1, int(mine["round"].max()))
        for generation, rows in mine.groupby("round"):
            values = rows.groupby("rank")[column].mean()
            scale = 1 if column == "taken" else 100
            colour = shades(0.15 + 0.85 * int(generation) / last)
            axis.plot(
                values.index, scale * values, color=colour, marker="o", markersize=3, label=f"generation {int(generation) + 1}"
            )
        axis.set_title(f"{label}, {mine['trial_id'].nunique()} folds", fontsize=9)
        axis.set_ylabel(words, fontsize=8)
        axis.set_xlabel("class, most labels to fewest", fontsize=8)
        axis.set_ylim(bottom=0, top=None if column == "taken" else 105)
        if place == 0 or column == "taken":
            axis.legend(frameon=False, fontsize=6)
    return made
