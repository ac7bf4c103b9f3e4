"""Tables: pure functions of the results frame. Nothing here imports torch or Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench.report.tables import catalogue, cb, cb3, crest, joint, mm, per_class
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.registry import Registry
from lt_core.spec import TrialSpec


def _any(spec: TrialSpec) -> bool:
    return True


@dataclass(frozen=True)
class View:
    """How a table is made from a store's frames. ``plots`` are drawn with it; ``shows`` says whether it shows a trial, and
    ``rows`` describes the trials that it shows.
    """

    build: Callable[..., Table]
    metric: str = "error"  # the default metric
    by_class: bool = False  # whether it also needs the frame of classes
    plots: tuple[str, ...] = ()
    shows: Callable[[TrialSpec], bool] = _any
    rows: str = "all trials"

    def __call__(self, frame: pd.DataFrame, metric: str | None = None, classes: pd.DataFrame | None = None) -> Table:
        """The table of ``frame`` (one row per trial), and of ``classes`` (one row per trial and class) if it needs them."""
        return self.build(frame, *((classes,) if self.by_class else ()), metric or self.metric)


TABLES: Registry[View] = Registry("table")
TABLES.add("cb", View(cb.build))
TABLES.add("cb3", View(cb3.build, shows=cb3.shows, rows=cb3.SHOWN))
TABLES.add("mm", View(mm.build, plots=("per_class",), shows=mm.shows, rows=mm.SHOWN))
TABLES.add("crest", View(crest.build, metric="accuracy", plots=("generations",), shows=crest.shows, rows=crest.SHOWN))
TABLES.add("joint", View(joint.build, metric="minority_f1"))
TABLES.add("catalogue", View(catalogue.build))
TABLES.add("per_class", View(per_class.build, by_class=True, plots=("per_class",)))

__all__ = ["TABLES", "Cell", "Column", "Row", "Table", "View"]
