"""Test images by their features, t-SNE in two dimensions, coloured by class: one panel a method (runs made with --embed)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.plots.base import chosen, figure
from lt_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.store import Store
    from lt_core.result import TrialResult

_PANELS = 12


def draw(store: Store, only: str = "*") -> Figure:
    """The first embedded trial of each label and data column; at most twelve.

    Raises:
        UserError: no trial of the run was embedded.
    """
    shown: dict[tuple[str, str, float], TrialResult] = {}
    wanted = set(chosen(store.frame(), only)["trial_id"])
    for result in store.results():
        if result.embedding and result.trial_id in wanted:
            shown.setdefault((result.spec.method.label, result.spec.data.dataset, result.spec.data.imbalance_factor), result)
    if not shown:
        raise UserError(f"{store.path} has no embedded trial: run it with --embed")
    results = list(shown.values())[:_PANELS]
    made, axes = figure(len(results), 3.4, 3.2)
    from matplotlib import colormaps

    for axis, result in zip(axes, results, strict=True):
        x, y, label = np.array(result.embedding).T
        order = np.argsort(-np.array(result.train_counts), kind="stable")
        rank = {c: place for place, c in enumerate(order)}
        shades = colormaps["viridis"](np.linspace(0.0, 0.95, len(order)))
        for c in order[:: max(1, len(order) // 10)] if len(order) > 20 else order:
            mine = label == c
            axis.scatter(x[mine], y[mine], s=7, color=shades[rank[c]], label=f"{c} ({result.train_counts[c]})")
        axis.set_title(f"{result.spec.method.label}, seed {result.spec.seed}, fold {result.spec.data.subset_seed}", fontsize=8)
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].legend(title="class (training images)", fontsize=5, title_fontsize=6, frameon=False, ncols=2)
    return made
