"""Every pair of methods, over trials with the same images and seed: pairs won, tied and lost by balanced accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.analysis.stats import NOISE
from bench.records.columns import PAIR, keys
from bench.report.charts import Axis, Chart, Heat, Panel
from bench.report.plots.base import best, finished, others
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store

_MOST = 12


def draw(store: Store, only: str = "*") -> Chart:
    """One matrix over all data columns, with the row's method against the column's.

    Raises:
        UserError: no two methods have trials with the same images and seed.
    """
    frame, notes = finished(store, only)
    labels, left = best(frame, others(store, "win_tie_loss"), _MOST)
    keyed = frame.assign(**keys(frame, PAIR))
    wide = keyed.pivot_table(index=PAIR, columns="label", values="balanced_accuracy", aggfunc="mean", sort=False)
    counts = {(a, b): outcomes(wide[a] - wide[b]) for a in labels for b in labels if a != b}
    shared = {sum(found) for found in counts.values()}
    if not shared or shared == {0}:
        raise UserError(f"{store.path} does not have two methods with the same images and seeds, so there is nothing to compare")
    values = tuple(
        tuple(
            None if a == b or not sum(counts[a, b]) else round((counts[a, b][0] - counts[a, b][2]) / sum(counts[a, b]), 4)
            for b in labels
        )
        for a in labels
    )
    words = tuple(
        tuple("" if a == b or not sum(counts[a, b]) else "–".join(map(str, counts[a, b])) for b in labels) for a in labels
    )
    heat = Heat(tuple(labels), tuple(labels), values, "(wins − losses) / pairs", words, -1.0, 1.0, diverging=True)
    n = f"{min(shared)}" if len(shared) == 1 else f"{min(shared)} to {max(shared)}"
    said = f"each cell: wins–ties–losses of the row's method over {n} pairs of trials with the same images and seed"
    said += "; in cells too small for these, + if there are more wins, − if there are more losses"
    panel = Panel("wins–ties–losses by balanced accuracy", Axis("against"), Axis("method"), heat=heat)
    return Chart("win_tie_loss", "Wins, ties and losses", (panel,), (said, *left, *notes))


def outcomes(differences: pd.Series) -> tuple[int, int, int]:
    """How many pairs are won, tied and lost; a pair that one of the two did not finish does not count."""
    values = differences.dropna().to_numpy()
    tied = np.abs(values) <= NOISE
    return int((~tied & (values > 0)).sum()), int(tied.sum()), int((~tied & (values < 0)).sum())
