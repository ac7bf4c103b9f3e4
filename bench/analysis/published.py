"""Figures printed in papers, each checked against its table (results/published/published.csv)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from bench.records.columns import on_features
from bench.shipped import PUBLISHED_DIR
from lt_core.data.sets import DATASETS
from lt_core.metrics import METRICS


@cache
def published() -> pd.DataFrame:
    """One row per figure: paper, table, dataset, imbalance_type, imbalance_factor, method, params (k=v;k=v), metric, value."""
    frame = pd.read_csv(PUBLISHED_DIR / "published.csv", dtype={"table": str, "params": str})
    return frame.assign(params=frame["params"].fillna(""))


@cache
def _cells() -> Mapping[tuple[Any, ...], list[tuple[float, str]]]:
    cells: dict[tuple[Any, ...], list[tuple[float, str]]] = {}
    for row in published().itertuples():
        fraction = None if pd.isna(row.label_fraction) else float(row.label_fraction)
        key = (row.paper, row.table, row.dataset, row.imbalance_type, row.imbalance_factor, fraction, row.method)
        cells.setdefault(key, []).append((float(row.value), str(row.params)))
    return cells


def lookup(
    paper: str,
    table: str,
    dataset: str,
    imbalance_type: str,
    factor: float,
    method: str,
    params: str | None = "",
    label_fraction: float | None = None,
) -> tuple[float, str] | None:
    """The figure and its parameters; ``params=None`` matches any. None if the paper has no such cell."""
    found = _cells().get((paper, table, dataset, imbalance_type, factor, label_fraction, method), [])
    return next((cell for cell in found if params is None or cell[1] == params), None)


def drawn_as_published(row: Mapping[str, Any]) -> bool:
    """Whether a row of the results frame uses data sampled as in the papers: from whole classes in their own order, without
    unlabelled images from outside the subset, and as images rather than features of another network.
    """
    known = row["dataset"] in DATASETS
    whole = known and (row["imbalance_type"] == "natural" or row["n_max"] == DATASETS[row["dataset"]].n_max)
    return bool(whole and not on_features(row["model"]) and row["unlabelled_ratio"] == 0 and pd.isna(row["class_order_seed"]))


@dataclass(frozen=True)
class PaperRow:
    """The name of one of our methods in a paper's table, and the recipe of that paper."""

    paper: str
    table: str
    cite: str
    recipe: str
    metric: str  # what the paper prints, in %: error or accuracy
    method: str
    params: str = ""
    few_labels: bool = False


def _cui(method: str, params: str = "") -> PaperRow:
    return PaperRow("Cui2019", "2", "Cui et al. 2019, table 2", "cifar_cb", "error", method, params)


def _wei(method: str) -> PaperRow:
    return PaperRow("Wei2021", "1", "Wei et al. 2021, table 1", "cifar_crest", "accuracy", method, few_labels=True)


#: Label here → where a checked table prints it.
PAPER_ROWS: dict[str, PaperRow] = {
    "softmax": _cui("softmax"),
    "sigmoid": _cui("sigmoid"),
    "focal[gamma=0.5]": _cui("focal", "gamma=0.5"),
    "focal": _cui("focal", "gamma=1.0"),
    "focal[gamma=2]": _cui("focal", "gamma=2.0"),
    "fixmatch": _wei("fixmatch"),
    "crest": _wei("fixmatch_crest"),
    "crest_plus": _wei("fixmatch_crest_plus"),
}


def printed(label: str, dataset: str, imbalance_type: str, factor: float, label_fraction: float = 1.0) -> float | None:
    """The accuracy in % that a paper prints for ``label`` on that data; None if no checked table has it."""
    source = PAPER_ROWS.get(label)
    if source is None or source.few_labels != (label_fraction < 1):
        return None
    fraction = label_fraction if source.few_labels else None
    found = lookup(source.paper, source.table, dataset, imbalance_type, factor, source.method, source.params, fraction)
    return as_metric(found[0], source.metric, "accuracy") if found else None


def as_metric(value: float, printed: str, wanted: str) -> float | None:
    """A printed share in % converted to another metric, such as an error rate to an accuracy; None if that is not possible."""
    one, other = METRICS[printed], METRICS[wanted]
    if one.column != other.column:
        return None
    return value if one.complement == other.complement else round(100 - value, 4)
