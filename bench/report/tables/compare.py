"""Every method against a baseline over trials that share images and seeds: difference, interval, test, and rank."""

from __future__ import annotations

import math

import pandas as pd

from bench.analysis import blocks
from bench.analysis.comparable import given_features, measured_on, reported
from bench.analysis.comparison import columns_of, compare
from bench.analysis.metrics import of_rows
from bench.analysis.ranking import Ranking, rank
from bench.records import HEADLINE
from bench.records.columns import COLUMN, MACHINE, PAIR, keys
from bench.report.tables.cells import interval_words, p_words
from bench.report.tables.table import Cell, Column, Row, Table
from lt_core.labels import counted
from lt_core.metrics import METRICS
from lt_core.result import OK

_NAMED = 4  # the most data columns whose shares are listed in a note; for more, it gives the range


def build(frame: pd.DataFrame, metric: str = HEADLINE, baseline: str = "softmax") -> Table:
    """One row per method, best mean difference first.

    Raises:
        UserError: there is nothing to compare.
    """
    figure = METRICS[metric]
    frame, left_out = reported(frame)
    frame = frame.assign(_figure=of_rows(figure, frame))
    frame, alone = _beside_baseline(frame, baseline)
    found = compare(frame, baseline, "_figure", figure.lower_is_better)
    ranking = rank(frame, "_figure", figure.lower_is_better)
    names = ("pairs", "difference", "95 % interval", "better", "worse", "p", "p (Holm)", "rank", "rank, 95 % interval", "P(best)")
    tested = sum(not math.isnan(c.p) for c in found)
    rows = []
    for c in found:
        words = (
            f"{c.pairs}" + (f" (+{c.unpaired} unpaired)" if c.unpaired else ""), f"{c.difference:+.2f}",
            interval_words(c.interval), f"{c.wins}", f"{c.losses}", p_words(c.p), p_words(c.p_holm),
            f"{ranking.ranks[c.label]:.2f}" if c.label in ranking.ranks else "",
            _interval(ranking.intervals.get(c.label)), _chance(ranking.chances.get(c.label)),
        )  # fmt: skip
        rows.append(Row(c.label, tuple(Cell(text=word) for word in words)))
    notes = [
        *left_out,
        *alone,
        "difference: method − baseline, mean over pairs of trials with the same images and seed; its interval is not "
        "corrected for the number of comparisons",
        f"p: t-test in a block model with moderated standard deviations; Holm: corrected for {counted(tested, 'comparison')}",
        _ranked(ranking, baseline),
    ]
    if any(math.isnan(c.p) for c in found):
        notes.append("none: not tested, because a data column has fewer than two pairs or all differences are identical")
    if ranking.intervals:
        notes.append(
            "rank, 95 % interval: of the mean rank; P(best): probability in % that no other method has a better one; both for "
            "these data columns, from the standard deviations and n of the figures"
        )
    if ranking.friedman is not None:
        notes.append(f"Friedman's test of equal ranks, treating the data columns as a random sample: p = {ranking.friedman:.3g}")
    notes += _shared(frame) + _devices(frame[frame["label"].isin([baseline, *(c.label for c in found)])]) + given_features(frame)
    title = f"Against {baseline}: {figure.title}"
    return Table("compare", title, "Method", tuple(Column("", name, plain=True) for name in names), tuple(rows), tuple(notes))


def _beside_baseline(frame: pd.DataFrame, baseline: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows in data columns that have trials of the baseline, and a note on the others."""
    columns = frame.groupby(COLUMN, sort=False, dropna=False).ngroup()
    beside = columns.isin(columns[frame["label"] == baseline])
    if beside.all() or not beside.any():
        return frame, []
    others = counted(int((~beside).sum()), "trial")
    return frame[beside], [f"{others} not compared, because {baseline} has no trial on the same data with the same budget"]


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.1f} … {ends[1]:.1f}"


def _chance(chance: float | None) -> str:
    return "" if chance is None else f"{100 * chance:.0f}"


def _ranked(ranking: Ranking, baseline: str) -> str:
    columns = counted(ranking.columns, "data column")
    if not ranking.ranks:
        return f"rank: none, because no method has finished trials in all of {columns}"
    if baseline not in ranking.ranks:
        return f"rank: mean over {columns}, 1 is best; {baseline} has none, because it has no finished trial in some of them"
    return f"rank: mean over {columns}, 1 is best; {baseline} {_words_of(ranking, baseline)}"


def _words_of(ranking: Ranking, label: str) -> str:
    ends = f" ({_interval(ranking.intervals[label])})" if label in ranking.intervals else ""
    return f"{ranking.ranks[label]:.2f}{ends}"


def _shared(frame: pd.DataFrame) -> list[str]:
    """How much trials of one subset and seed have in common, which is what comparing in pairs can gain."""
    found = {name: blocks.shared(wide.to_numpy(dtype=float)) for name, wide in columns_of(frame, "_figure").items()}
    known = {name: share for name, share in found.items() if share is not None}
    if not known:
        return []
    words = [
        f"{100 * s.share:.0f} % on {name} (95 % interval {100 * s.low:.0f} to {100 * s.high:.0f})" for name, s in known.items()
    ]
    if len(known) > _NAMED:
        shares = [100 * s.share for s in known.values()]
        words = [f"{min(shares):.0f} to {max(shares):.0f} % on {len(known)} data columns"]
    nothing = all(s.low == 0 for s in known.values())
    return [
        f"share of a method's variance that is common to trials with the same images and seed: {', '.join(words)}"
        + ("; the intervals include 0, in which case pairing gains nothing" if nothing else "")
    ]


def _devices(frame: pd.DataFrame) -> list[str]:
    """The devices of the trials, and for how many pairs the methods were measured on different devices."""
    done = frame[frame["status"] == OK]
    kind = done[MACHINE].astype(str).agg(", ".join, axis=1)
    pairs = [column for _, column in keys(done, PAIR).items()]
    mixed, notes = kind.groupby(pairs).nunique() > 1, [measured_on(frame)]
    if mixed.any():
        notes.append(
            f"for {mixed.sum()} of {len(mixed)} combinations of images and seed, the methods were measured on different kinds "
            "of device, which adds to their differences"
        )
    return notes
