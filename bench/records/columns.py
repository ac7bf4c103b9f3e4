"""What a data column is: the columns of the results frame that say on which images, and with which budget, a trial was run.

- ``DATA``: which images, except for the subset: every field of `DataSpec` but ``subset_seed``
- ``BUDGET``: how a network was trained on them
- ``COLUMN``: both; only figures of one data column are compared
- ``REPEATS``: subset seed and seed, in which the trials of one method and data column differ
- ``PAIR``: ``COLUMN`` and ``REPEATS``; two trials that agree in all of it differ only in their method

Everything is derived from `DataSpec`, so that a new field distinguishes data columns from the start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_type_hints

from bench.records.nested import written
from lt_core.data.longtail import class_sizes
from lt_core.data.sets import DATASETS
from lt_core.labels import parse_label, short
from lt_core.spec import DataSpec, TrialSpec

if TYPE_CHECKING:
    import pandas as pd

#: Data, given as a spec or as a row of the results frame.
Data: TypeAlias = DataSpec | Mapping[str, Any]

DRAW = "subset_seed"
#: Fields with another name in a frame, because the frame holds their resolved value.
_NAMES = {"unlabelled_imbalance": "unlabelled_imbalance_factor"}

DATA = [_NAMES.get(field.name, field.name) for field in dataclasses.fields(DataSpec) if field.name != DRAW]
BUDGET = ["recipe", "model", "epochs", "protocol"]
COLUMN = [*DATA, *BUDGET]
REPEATS = [DRAW, "seed"]
PAIR = [*COLUMN, *REPEATS]
#: The kind of machine; the figures of a trial differ between kinds.
MACHINE = ["device_name", "threads", "precision"]
#: The headings that papers print above the columns of a table, without and with the share of labels.
HEADINGS = ["dataset", "imbalance_type", "imbalance_factor"]
LABEL_HEADINGS = ["dataset", "imbalance_type", "label_fraction", "imbalance_factor"]

_HINTS = get_type_hints(DataSpec)
#: Columns of `DATA` that are float64: fractions, and integers that may be missing.
NUMBERS = [
    _NAMES.get(name, name)
    for name, hint in _HINTS.items()
    if hint is float or (NoneType in get_args(hint) and get_args(hint)[0] in (float, int))
]


def on_features(model: str) -> bool:
    """Whether the model of a recipe gets the features of a frozen network instead of pictures."""
    return parse_label(model)[0] == "frozen"


def trained_further(model: str) -> bool:
    """Whether the model of a recipe starts from pretrained weights."""
    return not on_features(model) and parse_label(model)[1].get("weights", "none") != "none"


def keys(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """``columns`` of a results frame, to group or join by. A missing value becomes "none", because pandas would drop its rows."""
    found = frame[list(columns)]
    return found.astype(object).where(found.notna(), "none")


_OF_FIELDS = [(field.name, _NAMES.get(field.name, field.name)) for field in dataclasses.fields(DataSpec)]


def data_values(data: DataSpec, train_counts: Sequence[int] = ()) -> dict[str, Any]:
    """The values of `DATA` and of the subset seed in a row of the results frame; ``train_counts``: see `imbalance_factor`."""
    factor = imbalance_factor(data, train_counts)
    values = {column: getattr(data, name) for name, column in _OF_FIELDS}
    return values | {
        "imbalance_factor": factor,
        "counts": written(data.counts) if data.counts else "",
        "unlabelled_imbalance_factor": data.unlabelled_imbalance or factor,
        "unlabelled_labelled": data.unlabelled_labelled and data.semi_supervised,
    }


def imbalance_factor(data: DataSpec, train_counts: Sequence[int] = ()) -> float:
    """The imbalance factor of the spec; for shapes without one, largest / smallest class of the subset.

    If the set comes from a plug-in file that is not loaded, ``train_counts`` (training images of each class) is used instead;
    without it the factor is 1.
    """
    if data.imbalance_type in ("exp", "step"):
        return data.imbalance_factor
    known = data.dataset in DATASETS
    sizes = class_sizes(data, DATASETS[data.dataset].train_counts) if known else data.counts or train_counts or (1,)
    return max(sizes) / min(sizes)


def data_column(data: DataSpec) -> DataSpec:
    """``data`` without its subset seed: what all its subsets share."""
    return dataclasses.replace(data, subset_seed=0)


def describe(data: Data, among: Iterable[Data] = ()) -> str:
    """A description of data: ``cifar10 IF 100``, ``digits step IF 50 labels 10 %``, or ``digits IF 50, n_max 60`` if it is
    shown with data of another n_max.

    Args:
        data: a spec, or a row of the results frame.
        among: the data shown with it, which may include ``data`` itself. Two data get the same words only if they are one column.
    """
    row = _row(data)
    words = _plain(row)
    alike = [other for other in map(_row, among) if _plain(other) == words]
    return ", ".join([words, *differences(row, alike)])


def differences(row: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> list[str]:
    """The differences between the data column of ``row`` and those of ``others``, such as ``epochs 40``; recipes and models are
    given by name alone.
    """
    mine = _values(row)
    differing = {key for other in map(_values, others) for key in mine if mine[key] != other[key]}
    return [mine[key] if key in ("recipe", "model") else f"{key} {mine[key]}" for key in mine if key in differing]


def describe_trial(trial: TrialSpec | Mapping[str, Any], among: Iterable[Data] = ()) -> str:
    """A description of a trial (or its row): ``softmax, digits IF 50, subset 2, seed 1``; ``among``: see `describe`."""
    if isinstance(trial, TrialSpec):
        trial = {**data_values(trial.data), "label": trial.method.label, "seed": trial.seed}
    subset = f", subset {trial[DRAW]}" if trial[DRAW] else ""
    return f"{trial['label']}, {describe(trial, among)}{subset}, seed {trial['seed']}"


def factor_words(factor: float) -> str:
    """An imbalance factor as it was chosen (``100.2``), and a ratio of two numbers of images in three digits (``33.3``)."""
    chosen = f"{factor:.5g}"
    return chosen if float(chosen) == factor else f"{factor:.3g}"


def imbalance_words(data: Data) -> str:
    """``IF 100``; ``step IF 50`` for a shape that is not exponential."""
    row = _row(data)
    shape = "" if row["imbalance_type"] == "exp" else f"{row['imbalance_type']} "
    return f"{shape}IF {factor_words(row['imbalance_factor'])}"


def label_words(data: Data) -> str:
    """Which images keep their labels: ``labels 10 %``, or ``λ 2`` and how the unlabelled set differs; empty if all do."""
    row = _row(data)
    if row["label_fraction"] < 1:
        return f"labels {100 * row['label_fraction']:g} %"
    if not row["unlabelled_ratio"]:
        return ""
    factor = row["unlabelled_imbalance_factor"]
    unlike = [f"IF {factor_words(factor)}"] if factor != row["imbalance_factor"] else []
    unlike += ["reversed"] if row["unlabelled_order"] == "reversed" else []
    return f"λ {row['unlabelled_ratio']:g}" + (f" ({', '.join(unlike)})" if unlike else "")


def group_name(dataset: object, shape: object, share: float = 1.0) -> str:
    """The heading above the columns of several factors: ``cifar10``, ``cifar10 (step)`` for a shape that is not exponential,
    ``cifar10, β = 10 %`` for a ``share`` of labels, which is the symbol of CReST's tables.
    """
    name = str(dataset) if shape == "exp" else f"{dataset} ({shape})"
    return name + (f", β = {100 * share:g} %" if share < 1 else "")


def _row(data: Data) -> Mapping[str, Any]:
    return data_values(data) if isinstance(data, DataSpec) else data


def _plain(row: Mapping[str, Any]) -> str:
    return " ".join(filter(None, [row["dataset"], imbalance_words(row), label_words(row)]))


def _values(row: Mapping[str, Any]) -> dict[str, str]:
    """The values in ``row`` that distinguish data columns, as people write them; NaN, None and "none" are the same."""
    values = {key: row[key] for key in COLUMN if key in row}
    return {key: "none" if value is None or value != value else short(value) for key, value in values.items()}
