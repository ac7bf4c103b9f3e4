"""Claims that papers make about methods, checked against the rows that we measured.

A claim is a sentence of a paper and a list of checks (results/published/claims.yaml); a check names a committed run and what
must be true of it. Every pair of methods on every data column is one piece of evidence: as claimed, the opposite, or not
significantly different.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bench.analysis import blocks
from bench.analysis.comparable import reported
from bench.analysis.comparison import Comparison, compare
from bench.analysis.gains import FILE, TUNED, confirming, label_of, over_baseline, read
from bench.analysis.metrics import of_rows
from bench.analysis.stats import NOISE, t_interval
from bench.records import HEADLINE
from bench.records.columns import COLUMN, DATA, DRAW, REPEATS, describe, keys
from bench.records.store import Store
from bench.shipped import PUBLISHED_DIR
from lt_core.errors import UserError
from lt_core.fields import build, param
from lt_core.metrics import metric_of
from lt_core.result import OK


@dataclass(frozen=True)
class Check:
    """What must be true of a run."""

    run: str = param(help="a committed run")
    order: Any = param((), "labels, from the worst to the best: every neighbouring pair is compared")
    metric: str = param(HEADLINE, "metric to compare")
    data: str = param("*", "glob on the names of data columns, such as 'cifar10 IF 50'")
    by: Any = param((), "[low, high]: size of the claimed difference")
    columns: Any = param((), "[lower, higher]: two columns of the frame to compare within each trial, instead of methods")
    tail: Any = param(
        (), "[lower, higher]: two per-class columns of the pseudo-labels to compare in the rarest third of the classes"
    )
    labels: str = param("*", "glob on the labels of these trials")
    tuned: bool = param(
        False, "compare a search's tuned baseline, which is claimed to be as good, with each of its tuned methods"
    )


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper, where it is printed, and what would confirm it."""

    claim: str = param(help="the claim, in a sentence")
    source: str = param(help="paper that makes the claim, and where")
    checks: tuple[Check, ...] = param(help="comparisons that test the claim")
    remark: str = param("", "remark needed to interpret the figures")


@dataclass(frozen=True)
class Evidence:
    """One difference that a claim is about: higher − lower, in points or the metric's unit, and its 95 % interval."""

    run: str
    data: str
    pair: str
    n: int
    difference: float
    interval: tuple[float, float] | None
    by: tuple[float, float] | None = None
    as_good: bool = False  # the claim is that the first is as good as the second, not that it is better

    @property
    def verdict(self) -> str:
        """What this difference says about the claim."""
        if self.as_good and self.interval and self.interval[1] >= 0:
            return "as claimed"
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "not significant"
        if self.difference < 0:
            return "the opposite"
        if self.by and not self.by[0] <= self.difference <= self.by[1]:
            return "less than claimed" if self.difference < self.by[0] else "more than claimed"
        return "as claimed"


@cache
def claims() -> tuple[Claim, ...]:
    """All claims, in the order of the file."""
    found = []
    for number, values in enumerate(yaml.safe_load((PUBLISHED_DIR / "claims.yaml").read_text()), 1):
        checks = tuple(build(Check, check, f"claim {number}") for check in values["checks"])
        found.append(build(Claim, {**values, "checks": checks}, f"claim {number}"))
    return tuple(found)


def evidence(claim: Claim, folder: Path) -> list[Evidence]:
    """What the runs under ``folder`` say about ``claim``; runs that are not there say nothing."""
    found: list[Evidence] = []
    for check in claim.checks:
        if (folder / check.run / "trials.parquet").is_file():
            found += _of_check(check, Store(folder / check.run))
    return found


def verdict(found: Iterable[Evidence]) -> str:
    """A one-word summary of all pieces of evidence."""
    said = [one.verdict for one in found]
    in_favour, against = said.count("as claimed"), said.count("the opposite")
    half = sum(word.endswith("than claimed") for word in said)
    if not said:
        return "not measured"
    if in_favour == len(said):
        return "holds"
    if against:
        return "mixed" if in_favour or half else "contradicted"
    return "holds in part" if in_favour or half else "undecided"


def _of_check(check: Check, store: Store) -> Iterator[Evidence]:
    if check.tuned:
        if (store.path / FILE).is_file():
            yield from _tuned(check, store)
        return
    frame, _ = reported(store.frame())
    frame = frame[frame["status"] == OK]
    for _, rows in frame.groupby([series for _, series in keys(frame, COLUMN).items()], sort=False):
        words = describe(rows.iloc[0].to_dict())
        if not fnmatch.fnmatchcase(words, check.data):
            continue
        if check.order:
            yield from _ordered(check, rows, words)
        else:
            yield from _within(check, rows, words, store)


def _ordered(check: Check, rows: pd.DataFrame, words: str) -> Iterator[Evidence]:
    """Compare each method of the claimed order with the one before it."""
    metric = metric_of(check.metric)
    rows = rows.assign(_figure=of_rows(metric, rows))
    by = (float(check.by[0]), float(check.by[1])) if check.by else None
    for worse, better in zip(check.order, check.order[1:], strict=False):
        if not {worse, better} <= set(rows["label"]):
            continue
        try:
            one = next(c for c in compare(rows, worse, "_figure") if c.label == better)
        except (UserError, StopIteration):  # no pair of trials
            continue
        difference, ends = _turned(one, metric.lower_is_better)
        yield Evidence(check.run, words, f"{better} − {worse}", one.pairs, difference, ends, by)


def _tuned(check: Check, store: Store) -> Iterator[Evidence]:
    """Compare the tuned baseline of a search with each of its tuned methods, on fresh subsets and seeds."""
    compared = read(store.path)
    rows = confirming(compared, store.frame())
    data = rows[compared.baseline, TUNED].drop_duplicates(DATA).to_dict("records")
    words = " and ".join(describe(row, data) for row in data)
    for study, one in over_baseline(compared, rows).items():
        difference, ends = _turned(one, not metric_of(compared.metric).lower_is_better)
        pair = f"{label_of(compared.baseline, TUNED)} − {label_of(study, TUNED)}"
        yield Evidence(check.run, words, pair, one.pairs, difference, ends, as_good=True)


def _turned(one: Comparison, turn: bool) -> tuple[float, tuple[float, float] | None]:
    """The difference and its interval, with the opposite sign if ``turn``."""
    if not turn:
        return one.difference, one.interval
    return -one.difference, one.interval and (-one.interval[1], -one.interval[0])


def _within(check: Check, rows: pd.DataFrame, words: str, store: Store) -> Iterator[Evidence]:
    """Compare two figures of the same trials, method by method; the interval is over subsets, or over trials if there are fewer
    than three subsets.
    """
    lower, higher = check.tail or check.columns
    if check.tail:
        classes = store.generations()
        classes = classes[(classes["round"] == 0) & classes["trial_id"].isin(rows["trial_id"])]
        rarer = classes.groupby("trial_id")["class"].rank(pct=True) > 2 / 3  # classes are in order of their size
        rows = rows.drop(columns=[c for c in (lower, higher) if c in rows]).merge(
            classes[rarer].groupby("trial_id")[[lower, higher]].mean().reset_index(), on="trial_id"
        )
    for label, mine in rows.groupby("label", sort=False):
        if not fnmatch.fnmatchcase(str(label), check.labels):
            continue
        values = 100 * (mine.groupby(REPEATS)[[lower, higher]].mean() @ np.array([-1.0, 1.0])).dropna()
        if values.empty:
            continue
        apart = blocks.by_draw(values.to_numpy()[:, None], values.index.get_level_values(DRAW))[:, 0]
        ends = t_interval(apart) if np.ptp(apart) > NOISE else None
        yield Evidence(check.run, words, f"{label}: {_words(higher)} − {_words(lower)}", len(values), float(apart.mean()), ends)


def _words(column: str) -> str:
    return column.replace("_", " ")
