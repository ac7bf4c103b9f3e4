"""Table of the maximum-margin paper (Kang et al. 2021): losses × rebalancing methods, long-tailed and step imbalance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.analysis.published import as_metric, lookup
from bench.records.columns import factor_words, group_name
from bench.records.nested import params_of
from bench.report.tables.cells import cells_of
from bench.report.tables.layout import Grid, columns_of
from bench.report.tables.table import Cell, Table, rank_columns
from lt_core.identity import NEUTRAL
from lt_core.labels import parse_label
from lt_core.metrics import METRICS
from lt_core.spec import TrialSpec

_LOSSES = {
    "softmax": "ERM",
    "hinge": "Hinge",
    "focal_softmax": "Focal",
    "focal": "Focal (sigmoid)",
    "ldam": "LDAM",
    "mm": "MM",
    "mm+ldam": "MM + LDAM",
}
SHOWN = "trials of its losses, plain or with one of its rebalancing methods"
_RULES = {"none": "", "RW": "re-weighting", "RS": "re-sampling", "DRW": "DRW", "DRS": "DRS"}
#: (weights, sampling) → the rebalancing method, always or deferred.
_REBALANCED = {
    ("none", "instance"): "none", ("effective_number", "instance"): "RW", ("none", "class_balanced"): "RS",
}  # fmt: skip
_HEADS = ("linear", "cosine")
#: Groups of parts that a row does not speak of: a method with one of its own, such as mixup or FixMatch, is no row of the table.
_PLAIN = ("posthoc", "step", "stages", "regularizer", "synthesis", "augment")
_SAID_BY_ROW = ("weights", "mean", "sampling", "schedule", "mixed")


class Kind(NamedTuple):
    """A row of the table: the places of its loss and of its rebalancing method, and hyperparameters that differ from the declared
    ones.
    """

    loss: int
    rule: int
    tuned: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """Its name in the papers: ``LDAM DRW``."""
        return " ".join(filter(None, [list(_LOSSES.values())[self.loss], list(_RULES.values())[self.rule]]))

    @property
    def name(self) -> str:
        """The same with the hyperparameters that differ: ``LDAM DRW [scale=10]``."""
        return self.plain + (f" [{','.join(self.tuned)}]" if self.tuned else "")


def build(frame: pd.DataFrame, metric: str = "error") -> Table:
    """Rows: each loss alone, with re-weighting, re-sampling, and DRW (Kang et al. 2021; Cao et al. 2019, table 2).

    A trial's row follows from its parts, not from its name. Re-weighting is by the effective number of images (the papers' CB
    rows), and hyperparameters that differ from the declared ones are named in the row.
    """
    figure = METRICS[metric]
    frame, notes = one_budget(frame)
    kinds = kinds_of(frame)
    frame = frame[frame["label"].isin(list(kinds))]
    labels = sorted(kinds, key=lambda label: (kinds[label].loss, kinds[label].rule, label))
    grid = Grid()
    for (dataset, shape, factor), rows in columns_of(frame):
        group = group_name(dataset, shape)
        grid.add(group, factor_words(factor), cells_of(figure, rows, labels))
        paper = {label: cell for label in labels if (cell := _printed(dataset, shape, factor, kinds[label].name, metric))}
        grid.add_paper(group, paper, rows)
    lines = tuple(grid.row(kinds[label].name, label) for label in labels)
    title = (
        f"Maximum margin and the methods it is compared with: {figure.title}, by imbalance factor (layout of Kang et al. 2021)"
    )
    notes.append(
        "re-weighting uses effective-number weights (class-balanced, CB); DRW and DRS rebalance only in the last part of training"
    )
    table = Table("mm", title, "Loss", tuple(grid.columns), lines, tuple(notes))
    return rank_columns(table, lower_is_better=figure.lower_is_better)


def shows(spec: TrialSpec) -> bool:
    """Whether a trial is a row of this table."""
    return row_kind(spec.method.label, dict(spec.method.params)) is not None


def kinds_of(frame: pd.DataFrame) -> dict[str, Kind]:
    """Label → its row, for the labels of ``frame`` that have one."""
    first = frame.drop_duplicates("label")
    kinds = {str(label): row_kind(str(label), params) for label, params in zip(first["label"], params_of(first), strict=True)}
    return {label: kind for label, kind in kinds.items() if kind}


def row_kind(label: str, params: Mapping[str, Any]) -> Kind | None:
    """The row of a method, from its label and resolved parameters; None if this table has no row for it."""
    loss = "mm+ldam" if params.get("mixed") else params["loss"]
    rule = _REBALANCED.get((params["weights"], params["sampling"]))
    others = any(params.get(group, NEUTRAL[group]) != NEUTRAL[group] for group in _PLAIN)  # old records lack new groups
    if loss not in _LOSSES or rule is None or others or params.get("head", "linear") not in _HEADS:
        return None
    rule = f"D{rule}" if rule != "none" and params["schedule"] == "deferred" else rule
    tuned = tuple(f"{key}={value}" for key, value in parse_label(label)[1].items() if key not in _SAID_BY_ROW)
    return Kind(list(_LOSSES).index(loss), list(_RULES).index(rule), tuned)


def _printed(dataset: str, shape: str, factor: float, row: str, metric: str) -> Cell | None:
    # The paper's own table is not among our checked sources, so this is the figure of a checked source that prints the same row.
    if row != "ERM":
        return None
    found = lookup("Cui2019", "2", dataset, shape, factor, "softmax", "")
    figure = as_metric(found[0], "error", metric) if found else None
    return None if figure is None else Cell(figure)
