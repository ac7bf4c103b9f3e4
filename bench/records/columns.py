"""What a data column is: the columns of the results frame that say on which images, and with which budget, a trial was run.

    DATA      which images, but for the draw: every field of `DataSpec` except ``subset_seed``
    BUDGET    how they were trained on
    COLUMN    both: only figures of one data column are compared
    REPEATS   the draw and the seed: the trials of one method and data column differ in them
    PAIR      COLUMN and REPEATS: two trials that share all of it differ in their method alone

All is derived from `DataSpec`, so that a new field tells data columns apart from the first day.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from lt_core.data.longtail import class_sizes
from lt_core.data.sets import DATASETS
from lt_core.spec import DataSpec

if TYPE_CHECKING:
    import pandas as pd

DRAW = "subset_seed"
#: Fields that a frame calls by another name, since they are resolved in it.
_NAMES = {"unlabelled_imbalance": "unlabelled_imbalance_factor"}

DATA = [_NAMES.get(field.name, field.name) for field in dataclasses.fields(DataSpec) if field.name != DRAW]
BUDGET = ["recipe", "model", "epochs", "protocol"]
COLUMN = [*DATA, *BUDGET]
REPEATS = [DRAW, "seed"]
PAIR = [*COLUMN, *REPEATS]
#: The kind of machine: on another one, the figures of one trial differ.
MACHINE = ["device_name", "threads", "precision"]
#: What the papers print above the columns of a table, and where the share of labels stands there too.
HEADINGS = ["dataset", "imbalance_type", "imbalance_factor"]
LABEL_HEADINGS = ["dataset", "imbalance_type", "label_fraction", "imbalance_factor"]

_HINTS = get_type_hints(DataSpec)
#: Columns of `DATA` that are float64: fractions, and integers that may be missing.
NUMBERS = [
    _NAMES.get(name, name)
    for name, hint in _HINTS.items()
    if hint is float or (NoneType in get_args(hint) and get_args(hint)[0] in (float, int))
]


def keys(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """``columns`` of a results frame to group and to join by: a value that is missing is one more value, "none", where pandas
    would leave its rows out.
    """
    found = frame[list(columns)]
    return found.astype(object).where(found.notna(), "none")


def data_values(data: DataSpec, train_counts: Sequence[int] = ()) -> dict[str, Any]:
    """The values of `DATA` and of the draw in a row of the results frame; ``train_counts``: see `imbalance_factor`."""
    factor = imbalance_factor(data, train_counts)
    values = {_NAMES.get(field.name, field.name): getattr(data, field.name) for field in dataclasses.fields(DataSpec)}
    return values | {
        "imbalance_factor": factor,
        "counts": json.dumps(data.counts) if data.counts else "",
        "unlabelled_imbalance_factor": data.unlabelled_imbalance or factor,
        "unlabelled_labelled": data.unlabelled_labelled and data.semi_supervised,
    }


def imbalance_factor(data: DataSpec, train_counts: Sequence[int] = ()) -> float:
    """As asked for; for shapes without a factor, largest / smallest class of the subset.

    Where the set is of a plug-in file that is not loaded, ``train_counts``, images of each class that were trained on, speak for
    it; without them the factor is 1.
    """
    if data.imbalance_type in ("exp", "step"):
        return data.imbalance_factor
    known = data.dataset in DATASETS
    sizes = class_sizes(data, DATASETS[data.dataset].train_counts) if known else data.counts or train_counts or (1,)
    return max(sizes) / min(sizes)


def data_column(data: DataSpec) -> DataSpec:
    """What all draws of ``data`` share."""
    return dataclasses.replace(data, subset_seed=0)


def describe(data: DataSpec | Mapping[str, Any]) -> str:
    """Data in words: ``cifar10 IF 100``, ``digits step IF 50 β 10 %``.

    Args:
        data: a spec, or a row of the results frame.
    """
    row = data_values(data) if isinstance(data, DataSpec) else data
    shape = "" if row["imbalance_type"] == "exp" else f" {row['imbalance_type']}"
    labels = f" β {100 * row['label_fraction']:g} %" if row["label_fraction"] < 1 else ""
    labels += f" λ {row['unlabelled_ratio']:g}" if row["unlabelled_ratio"] else ""
    return f"{row['dataset']}{shape} IF {row['imbalance_factor']:.3g}{labels}"


def describe_trial(row: Mapping[str, Any]) -> str:
    """A row of the results frame in words: ``softmax, digits IF 50, seed 1 (0123456789abcdef)``."""
    return f"{row['label']}, {describe(row)}, seed {row['seed']} ({row['trial_id']})"


def group_name(dataset: object, shape: object) -> str:
    """What stands above columns of several factors: ``cifar10``, or ``cifar10 (step)`` for a shape that is not exponential."""
    return str(dataset) if shape == "exp" else f"{dataset} ({shape})"
