"""Every kind of chart that a run has data for, and why the others are left out."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.report.charts import web
from bench.report.plots import PLOTS
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store
    from bench.report.charts import Chart


@dataclass(frozen=True)
class Drawn:
    """One chart as the page needs it."""

    kind: str
    title: str
    about: str
    notes: tuple[str, ...]
    legend: list[dict[str, str]]
    figures: list[dict[str, Any]]
    titles: list[str]  # of the panels
    columns: int


def drawn(store: Store) -> tuple[list[Drawn], list[tuple[str, str]]]:
    """The charts, and (kind, reason) of those that cannot be drawn. An error in one chart does not affect the others."""
    made, left_out = [], []
    for kind in PLOTS:
        try:
            about = (inspect.getdoc(inspect.getmodule(PLOTS[kind])) or "").splitlines()[0]
            made.append(on_page(PLOTS[kind](store), about))
        except UserError as error:
            left_out.append((kind, str(error).replace(str(store.path), "this run")))
        except Exception as error:  # it must not affect the other charts or the run
            left_out.append((kind, f"could not be drawn because of an error in this program ({type(error).__name__}: {error})"))
    return made, left_out


def on_page(chart: Chart, about: str) -> Drawn:
    """A chart as the page needs it."""
    titles = [panel.title for panel in chart.panels]
    columns = chart.columns if chart.columns <= 3 else 2  # four side by side only fit on paper
    return Drawn(chart.name, chart.title, about, chart.notes, web.legend(chart), web.figures(chart), titles, columns)
