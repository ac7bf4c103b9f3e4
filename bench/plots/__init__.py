"""Figures of a run as PDF, SVG or PNG: functions from a store to a matplotlib figure. Nothing here imports torch or Ray."""

from bench.plots import generations, per_class, tsne
from bench.plots.base import write
from lt_core.registry import Registry

#: Kind → function from a store, and a glob on methods, to a figure.
PLOTS: Registry = Registry("plot")
PLOTS.add("per_class", per_class.draw)
PLOTS.add("generations", generations.draw)
PLOTS.add("tsne", tsne.draw)

__all__ = ["PLOTS", "write"]
