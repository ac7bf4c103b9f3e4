"""Table 1 of CReST (Wei et al. 2021): label fractions × imbalance factors, FixMatch with and without its generations."""

from __future__ import annotations

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.analysis.published import as_metric, printed
from bench.records.columns import LABEL_HEADINGS, factor_words, group_name
from bench.report.tables.cells import cells_of
from bench.report.tables.layout import Grid, names_without_common
from bench.report.tables.table import Cell, Table, rank_columns
from lt_core.labels import method_of
from lt_core.metrics import METRICS
from lt_core.spec import TrialSpec

SHOWN = "trials with label_fraction below 1"
_ROWS = {
    "softmax": "Supervised",
    "pseudo_label": "Pseudo-label",
    "mean_teacher": "Mean teacher",
    "fixmatch": "FixMatch",
    "abc": "ABC",
    "fixmatch_da": "w/ distribution alignment",
    "self_training": "w/ self-training",
    "crest": "w/ CReST",
    "crest_plus": "w/ CReST+",
}


def shows(spec: TrialSpec) -> bool:
    """Whether this table shows a trial."""
    return spec.data.label_fraction < 1


def build(frame: pd.DataFrame, metric: str = "accuracy") -> Table:
    """Rows as in the paper, then all others that were run. A fold is a subset of the images (``subset_seed``)."""
    figure = METRICS[metric]
    frame, notes = one_budget(frame[frame["label_fraction"] < 1], column=LABEL_HEADINGS)
    names, common = names_without_common(list(dict.fromkeys(frame["label"])), _ROWS)
    labels = sorted(names, key=lambda label: list(_ROWS).index(method_of(label)) if method_of(label) in _ROWS else len(_ROWS))
    grid = Grid()
    for (dataset, shape, fraction, factor), rows in frame.groupby(LABEL_HEADINGS, sort=True):
        group = group_name(dataset, shape, fraction)
        grid.add(group, factor_words(factor), cells_of(figure, rows, labels))
        paper = {label: cell for label in labels if (cell := _printed(label, dataset, shape, factor, fraction, metric))}
        grid.add_paper(group, paper, rows)
    lines = tuple(grid.row(names[label], label) for label in labels)
    title = f"Few labels: {figure.title}, by share of labels β and imbalance factor (layout of Wei et al. 2021, table 1)"
    seeds = frame["seed"].nunique()
    counted = f"folds × {seeds} seeds" if seeds > 1 else "folds"
    notes.append(f"n counts {counted}; each fold has its own subset of the images and its own labelled images")
    if any(column.published for column in grid.columns):
        notes.append("paper: mean over 5 folds")
    if common:
        notes.append(f"set for every method that has it: {', '.join(common)}")
    return rank_columns(
        Table("crest", title, "Method", tuple(grid.columns), lines, tuple(notes)), lower_is_better=figure.lower_is_better
    )


def _printed(label: str, dataset: str, shape: str, factor: float, fraction: float, metric: str) -> Cell | None:
    accuracy = printed(label, dataset, shape, factor, fraction)
    figure = None if accuracy is None else as_metric(accuracy, "accuracy", metric)
    return None if figure is None else Cell(figure)
