"""The gains of tuned methods over an equally tuned baseline."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.analysis.comparable import given_features, measured_on
from bench.analysis.comparison import Comparison
from bench.analysis.gains import Compared
from bench.analysis.stats import ALPHA
from bench.report.gains import Gain, gains
from bench.report.tables.cells import interval_words, p_words
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.labels import duration
from lt_core.metrics import metric_of

OVER_DECLARED, OVER_TUNED = "over the untuned baseline", "over the tuned baseline"
_HEADS = ("as declared", "tuned", OVER_DECLARED, OVER_TUNED, "95 % interval", "p (Holm)", "trials", "time", "chosen")


def build(compared: Compared, frame: pd.DataFrame) -> Table:
    """One row per study: its figures as declared and tuned, its gains, and the cost of its search.

    Args:
        frame: the rows of the run, one per trial.
    """
    rows = [_row(gain, gain.name == compared.baseline) for gain in gains(compared, frame)]
    metric = metric_of(compared.metric).title
    title = f"{compared.space}: {metric} compared with {compared.baseline}, tuned with {compared.budget}"
    columns = tuple(Column("", head, plain=True) for head in _HEADS)
    return Table("gains", title, "Study", columns, tuple(rows), notes(compared, frame))


def notes(compared: Compared, frame: pd.DataFrame) -> tuple[str, ...]:
    """The notes of both the table and the chart."""
    return (
        *compared.notes,
        "gains: tuned method − baseline over trials with the same images and seed; interval and p refer to the gain over the "
        "tuned baseline (t-tests in a block model with moderated standard deviations, Holm's correction; significant if p < "
        f"{ALPHA:g})",
        measured_on(frame),
        *given_features(frame),
    )


def difference_words(one: Comparison | None) -> str:
    """``+1.52``; empty if there is nothing to compare."""
    return "" if one is None else f"{one.difference:+.2f}"


def _row(gain: Gain, is_baseline: bool) -> Row:
    over, study = gain.over_tuned, gain.study
    words: Sequence[str] = (
        difference_words(gain.over_declared), difference_words(over),
        interval_words(over.interval, missing="") if over else "", p_words(over.p_holm, missing="") if over else "",
        f"{study.trials}", duration(study.seconds), study.chosen,
    )  # fmt: skip
    name = gain.name + (" (baseline)" if is_baseline else "")
    return Row(name, (gain.declared, gain.tuned, *(Cell(text=word) for word in words)))
