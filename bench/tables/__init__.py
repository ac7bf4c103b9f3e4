"""Tables: pure functions of the results frame. Nothing here imports torch or Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench.tables import catalogue, cb, crest, joint, mm, per_class
from bench.tables.table import Cell, Column, Row, Table
from lt_core.registry import Registry


@dataclass(frozen=True)
class View:
    """How a table comes from a store's frames. ``plots`` are drawn beside it."""

    build: Callable[..., Table]
    metric: str = "error"  # shown unless another is asked for
    by_class: bool = False  # needs the frame of classes too
    plots: tuple[str, ...] = ()

    def __call__(self, frame: pd.DataFrame, metric: str | None = None, classes: pd.DataFrame | None = None) -> Table:
        """The table of ``frame`` (a row a trial), and of ``classes`` (a row a trial and class) where it needs them."""
        return self.build(frame, *((classes,) if self.by_class else ()), metric or self.metric)


TABLES: Registry[View] = Registry("table")
TABLES.add("cb", View(cb.build))
TABLES.add("mm", View(mm.build, plots=("per_class",)))
TABLES.add("crest", View(crest.build, metric="accuracy", plots=("generations",)))
TABLES.add("joint", View(joint.build, metric="minority_f1"))
TABLES.add("catalogue", View(catalogue.build))
TABLES.add("per_class", View(per_class.build, by_class=True, plots=("per_class",)))

__all__ = ["TABLES", "Cell", "Column", "Row", "Table", "View"]
