"""Optuna's figures of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.tuning.journal import optuna_
from bench.tuning.search import Search
from bench.tuning.winners import Found
from lt_core.metrics import metric_of


def importances(search: Search) -> dict[str, float]:
    """Axis → the share of the first objective's variance that it explains (fANOVA); empty if there are too few settings."""
    optuna = optuna_()
    target = None if len(search.space.objectives) == 1 else lambda t: t.values[0]
    try:
        return dict(optuna.importance.get_param_importances(search.optuna, target=target))
    except (ValueError, RuntimeError):
        return {}


def draw(one: Found, folder: Path) -> list[Path]:
    """Draw Optuna's figures of a study into ``folder``: its history, slices, a contour of two axes and the importances, if there
    are enough axes and values for them.
    """
    import matplotlib

    from bench.report.charts.paper import save

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, search, files = optuna_().visualization.matplotlib, one.search, []
    target = {"target": lambda t: t.values[0], "target_name": f"{metric_of(search.space.objectives[0]).quantity}, validation"}
    tried = [t.params for t in search.optuna.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
    numbers = [axis.label for axis in one.study.axes if axis.values is None and len({p.get(axis.label) for p in tried}) > 3]
    figures = {
        "history": lambda: drawn.plot_optimization_history(search.optuna, **target),
        "slice": lambda: drawn.plot_slice(search.optuna, **target),
        "contour": lambda: drawn.plot_contour(search.optuna, params=numbers[:2], **target),
        "importances": lambda: drawn.plot_param_importances(search.optuna, **target),
    }
    for kind, draw in figures.items():
        if (kind == "contour" and len(numbers) < 2) or (kind == "importances" and len(importances(search)) < 2):
            continue
        axes = np.atleast_1d(np.asarray(draw(), dtype=object)).ravel()
        made = axes[0].figure
        made.set_size_inches(max(6.4, 3.0 * len(axes)), 4.2)
        if len(axes) == 1:  # layout engines cannot handle the colour bar that a row of slices shares
            made.set_layout_engine("tight")
        files.append(folder / f"{one.study.name}_{kind}.svg")
        save(made, files[-1])
        plt.close(made)
    return files
