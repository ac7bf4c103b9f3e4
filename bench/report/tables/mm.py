"""The maximum-margin paper's table: losses × ways of rebalancing, long-tailed and step, with per-class error beside it."""

from __future__ import annotations

import json

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.analysis.metrics import FIGURES
from bench.analysis.published import drawn_as_published, lookup
from bench.records.columns import group_name
from bench.report.tables.cells import cell_of
from bench.report.tables.layout import columns_of
from bench.report.tables.table import Cell, Column, Row, Table, rank_columns
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
SHOWN = "trials of its losses, alone or with one of its ways of rebalancing"
_RULES = {"none": "", "RW": "re-weighting", "RS": "re-sampling", "DRW": "DRW", "DRS": "DRS"}


def build(frame: pd.DataFrame, metric: str = "error") -> Table:
    """Rows: each loss alone, with re-weighting, re-sampling, and DRW (Kang et al. 2021; Cao et al. 2019, table 2).

    What a trial is follows from its parts, not from its name: re-weighting is by the effective number of images (the
    papers' CB rows), and hyperparameters other than the declared ones are named beside the row.
    """
    figure = FIGURES[metric]
    frame, notes = one_budget(frame)
    kinds = {
        label: row_kind(str(label), json.loads(params)) for label, params in zip(frame["label"], frame["params"], strict=True)
    }
    frame = frame[[kinds[label] is not None for label in frame["label"]]]
    labels = sorted(set(frame["label"]), key=lambda label: (kinds[label][:2], label))  # type: ignore[index]
    columns, cells = [], []
    for (dataset, shape, factor), rows in columns_of(frame):
        group = group_name(dataset, shape)
        columns.append(Column(group, f"{factor:.3g}"))
        cells.append({label: cell_of(figure, rows[rows["label"] == label]) for label in labels})
        printed = {label: found for label in labels if (found := _printed(dataset, shape, factor, kinds[label][2]))}  # type: ignore[index]
        if printed and metric == "error" and drawn_as_published(rows.iloc[0]):
            columns.append(Column(group, "paper", published=True))
            cells.append(printed)
    lines = tuple(Row(kinds[label][2], tuple(column.get(label, Cell()) for column in cells)) for label in labels)  # type: ignore[index]
    title = f"Maximum margin and what it is compared with: {figure.title}, by imbalance factor (layout of Kang et al. 2021)"
    notes.append("re-weighting: effective-number weights (class-balanced, CB); DRW and DRS: only in the last part of training")
    return rank_columns(Table("mm", title, "Loss", tuple(columns), lines, tuple(notes)), lower_is_better=figure.lower_is_better)


def shows(spec: TrialSpec) -> bool:
    """Whether a trial is a row of this table."""
    return row_kind(spec.method.label, dict(spec.method.params)) is not None


def row_kind(label: str, params: dict) -> tuple[int, int, str] | None:
    """(place of the loss, place of the rule, row label); None for what is no row of this table."""
    loss = "mm+ldam" if params.get("mixed") else params["loss"]
    weighted, sampled = params["weights"] == "effective_number", params["sampling"] == "class_balanced"
    deferred = params["schedule"] == "deferred"
    plain = params["weights"] == "none" and params["sampling"] == "instance"
    if loss not in _LOSSES or params["posthoc"] != "none" or not (plain or weighted != sampled):
        return None
    rule = "none" if plain else ("D" if deferred else "") + ("RW" if weighted else "RS")
    tuned = label.partition("[")[2].rstrip("]")
    hyper = [
        x for x in tuned.split(",") if x and x.split("=")[0] not in ("weights", "mean", "sampling", "schedule", "head", "mixed")
    ]
    name = " ".join(filter(None, [_LOSSES[loss], _RULES[rule], f"[{','.join(hyper)}]" if hyper else ""]))
    return list(_LOSSES).index(loss), list(_RULES).index(rule), name


def _printed(dataset: str, shape: str, factor: float, row: str) -> Cell | None:
    # The paper's own table is not among our checked sources; where a checked source prints the same row, it stands here.
    if row != "ERM":
        return None
    found = lookup("Cui2019", "2", dataset, shape, factor, "softmax", "")
    return Cell(found[0]) if found else None
