"""Table 2 of Cui et al. 2019: error rate by loss and imbalance factor, with the class-balanced loss chosen by validation."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bench.analysis import stats
from bench.analysis.comparable import one_budget
from bench.analysis.published import as_metric, lookup
from bench.records.columns import factor_words, group_name
from bench.records.nested import params_of
from bench.report.tables.cells import cell_of, cells_of
from bench.report.tables.layout import Grid, columns_of, labels_in_order
from bench.report.tables.table import Cell, Table, rank_columns
from lt_core.labels import parse_label, short
from lt_core.metrics import METRICS, Metric
from lt_core.result import OK

_PAPER = ("Cui2019", "2")
# Our label → its name in the table, and its method and parameters in the paper's figures.
_LOSSES = {
    "softmax": ("Softmax", "softmax", ""),
    "sigmoid": ("Sigmoid", "sigmoid", ""),
    "focal[gamma=0.5]": ("Focal (γ = 0.5)", "focal", "gamma=0.5"),
    "focal": ("Focal (γ = 1)", "focal", "gamma=1.0"),
    "focal[gamma=2]": ("Focal (γ = 2)", "focal", "gamma=2.0"),
}
_PICKED = ("cb_softmax", "cb_sigmoid", "cb_focal")


def build(frame: pd.DataFrame, metric: str = "error") -> Table:
    """The table of a results frame.

    The *Class-Balanced* row is chosen, column by column, among loss × β × γ by mean balanced accuracy on the validation split,
    never on the test set; the three rows below it show the choice.
    """
    figure = METRICS[metric]
    frame, notes = one_budget(frame)
    grid = Grid()
    candidates = pd.Series([_may_be_picked(*row) for row in zip(frame["method"], frame["label"], strict=True)], frame.index)
    labels = labels_in_order(frame[~candidates], list(_LOSSES))
    for (dataset, kind, factor), rows in columns_of(frame):
        group = group_name(dataset, kind)
        measured = cells_of(figure, rows, labels)
        measured.update(_picked(rows[candidates.loc[rows.index]], figure))
        grid.add(group, factor_words(factor), measured)
        grid.add_paper(group, _printed(str(dataset), str(kind), float(factor), metric), rows)
    known = [label for label in labels if label in _LOSSES]
    names = {label: _LOSSES.get(label, (label,))[0] for label in labels}
    picked = ["Class-Balanced", "Loss", "β", "γ"] if candidates.any() else []
    order = [*known, *picked, *(label for label in labels if label not in _LOSSES)]
    lines = tuple(grid.row(names.get(label, label), label, detail=label in ("Loss", "β", "γ")) for label in order)
    title = f"{figure.heading} on the test set, by loss and imbalance factor (layout of Cui et al. 2019, table 2)"
    if candidates.any():
        notes.append("Class-Balanced: loss, β and γ chosen on the validation split")
    if any(column.published for column in grid.columns):
        notes.append(
            "paper: Cui et al. 2019, table 2 (ResNet-32, 200 epochs, one run; the class-balanced row was chosen on the test set)"
        )
    table = Table("cb", title, "Loss", tuple(grid.columns), lines, tuple(notes))
    return rank_columns(table, lower_is_better=figure.lower_is_better)


def _may_be_picked(method: str, label: str) -> bool:
    """Whether the rows below the choice say everything about this method; one with other changes has a row of its own."""
    return method in _PICKED and set(parse_label(label)[1]) <= {"cb_beta", "gamma"}


def _picked(rows: pd.DataFrame, figure: Metric) -> dict[str, Cell]:
    """The class-balanced cell that is best on the validation split, and its loss, β and γ."""
    finished = rows[(rows["status"] == OK) & rows["validation_balanced_accuracy"].notna()]
    if finished.empty:
        return {"Class-Balanced": Cell(text="no validation split" if len(rows) else "")}
    scores = finished.groupby("label", sort=False)["validation_balanced_accuracy"].agg(["mean", "size"])
    complete = scores[scores["size"] == scores["size"].max()]  # a cell that lacks seeds is not compared with complete ones
    means = complete["mean"].sort_index()
    label = means.index[stats.settled(means.to_numpy()).argmax()]  # ties are broken by name, not by the last bit
    chosen = rows[rows["label"] == label]
    params = params_of(chosen.head(1))[0]
    gamma = short(params["gamma"]) if "gamma" in params else "–"
    return {
        "Class-Balanced": cell_of(figure, chosen),
        "Loss": Cell(text=params["loss"]),
        "β": Cell(text=short(params["cb_beta"])),
        "γ": Cell(text=gamma),
    }


def _printed(dataset: str, kind: str, factor: float, metric: str) -> dict[str, Cell]:
    """The paper's column, by our row labels; empty if it has none, or prints another metric."""
    if as_metric(0, "error", metric) is None:
        return {}
    out = {}
    for label, (_, method, params) in _LOSSES.items():
        found = lookup(*_PAPER, dataset, kind, factor, method, params)
        if found:
            out[label] = Cell(as_metric(found[0], "error", metric))
    best = lookup(*_PAPER, dataset, kind, factor, "class_balanced_best", None)
    if best:
        words = dict(_pairs(best[1].split(";")))
        out["Class-Balanced"] = Cell(as_metric(best[0], "error", metric))
        out["Loss"] = Cell(text=words.get("loss", "–"))
        out["β"] = Cell(text=words.get("beta", "–"))
        out["γ"] = Cell(text=words.get("gamma", "–"))
    return out


def _pairs(items: Iterable[str]) -> Iterable[tuple[str, str]]:
    for item in items:
        key, equals, value = item.partition("=")
        if equals:
            yield key, value.removesuffix(".0")
