"""Every method against a baseline over trials that share images and seeds: difference, interval, paired test, rank."""

from __future__ import annotations

import pandas as pd

from bench.analysis import stats
from bench.analysis.comparable import measured_on, reported
from bench.analysis.metrics import of_rows
from bench.records import HEADLINE
from bench.records.columns import MACHINE, PAIR, keys
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.metrics import METRICS
from lt_core.result import OK


def build(frame: pd.DataFrame, metric: str = HEADLINE, baseline: str = "softmax") -> Table:
    """One row a method, best mean difference first.

    Raises:
        UserError: there is nothing to compare.
    """
    figure = METRICS[metric]
    frame, left_out = reported(frame)
    frame = frame.assign(_figure=of_rows(figure, frame))
    found = stats.compare(frame, baseline, "_figure", figure.lower_is_better)
    ranking = stats.rank(frame, "_figure", figure.lower_is_better)
    names = ("pairs", "difference", "95 % interval", "better", "worse", "p", "p (Holm)", "rank")
    rows = []
    for c in found:
        interval = "none (n = 1)" if c.interval is None else f"{c.interval[0]:+.2f} … {c.interval[1]:+.2f}"
        words = (
            f"{c.pairs}" + (f" (+{c.unpaired} unpaired)" if c.unpaired else ""), f"{c.difference:+.2f}", interval, f"{c.wins}",
            f"{c.losses}", f"{c.p:.3f}", f"{c.p_holm:.3f}", f"{ranking.ranks[c.label]:.2f}" if c.label in ranking.ranks else "",
        )  # fmt: skip
        rows.append(Row(c.label, tuple(Cell(text=word) for word in words)))
    notes = [
        *left_out,
        "difference: mean over pairs of trials with the same images and seed, method − baseline; interval: Student's",
        f"p: Wilcoxon's signed-rank test, two-sided, at least 2/2ⁿ with n pairs; Holm: corrected for {len(found)} comparisons",
        f"rank: average over {ranking.blocks} data columns, 1 the best"
        + (f"; {baseline} {ranking.ranks[baseline]:.2f}" if baseline in ranking.ranks else ""),
    ]
    if ranking.critical_difference is not None and ranking.blocks > 1:
        apart = f"average ranks closer than {ranking.critical_difference:.2f} are not told apart (Nemenyi, α = 0.05)"
        notes.append(apart + (f"; Friedman p = {ranking.friedman:.3g}" if ranking.friedman is not None else ""))
    notes += _devices(frame[frame["label"].isin([baseline, *(c.label for c in found)])])
    title = f"Against {baseline}: {figure.title}"
    return Table("compare", title, "Method", tuple(Column("", name, plain=True) for name in names), tuple(rows), tuple(notes))


def _devices(frame: pd.DataFrame) -> list[str]:
    """What the pairs were measured on, and in how many of them a difference is also one of devices."""
    done = frame[frame["status"] == OK]
    kind = done[MACHINE].astype(str).agg(", ".join, axis=1)
    pairs = [column for _, column in keys(done, PAIR).items()]
    mixed, notes = kind.groupby(pairs).nunique() > 1, [measured_on(frame)]
    if mixed.any():
        notes.append(
            f"with {mixed.sum()} of {len(mixed)} draws and seeds not all methods were measured on one kind of device: their "
            "differences are also those of devices"
        )
    return notes
