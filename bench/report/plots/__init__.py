"""The kinds of chart: each is a function that makes a `Chart` from a store and a glob on methods. Nothing here imports torch or
Ray.
"""

from collections.abc import Callable

from bench.report.charts import Chart
from bench.report.charts.paper import write
from bench.report.plots import (
    calibration,
    confusion,
    curves,
    factors,
    gains,
    generations,
    heatmap,
    pareto,
    per_class,
    priors,
    ranks,
    translations,
    tsne,
    win_tie_loss,
)
from lt_core.registry import Registry

#: Kind → function that makes the chart from a store and a glob on methods, in the order of the report.
PLOTS: Registry[Callable[..., Chart]] = Registry("plot")
PLOTS.add("factors", factors.draw)
PLOTS.add("per_class", per_class.draw)
PLOTS.add("priors", priors.draw)
PLOTS.add("pareto", pareto.draw)
PLOTS.add("ranks", ranks.draw)
PLOTS.add("win_tie_loss", win_tie_loss.draw)
PLOTS.add("confusion", confusion.draw)
PLOTS.add("calibration", calibration.draw)
PLOTS.add("curves", curves.draw)
PLOTS.add("heatmap", heatmap.draw)
PLOTS.add("gains", gains.draw)
PLOTS.add("generations", generations.draw)
PLOTS.add("tsne", tsne.draw)
PLOTS.add("translations", translations.draw)

__all__ = ["PLOTS", "write"]
