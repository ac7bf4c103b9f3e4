"""Data frames made from records, which the Parquet files of a run hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from bench.records.columns import NUMBERS, data_values
from bench.records.layout import ENVIRONMENT, MADE, SECONDS, VALIDATION, metric_columns, trial_columns
from bench.records.nested import written, written_spec
from lt_core.metrics import collapsed, on_curves
from lt_core.result import OK, SCHEMA, TrialResult


def trials(results: Sequence[TrialResult], suite: str) -> pd.DataFrame:
    """One row per trial. Figures are fractions; those of an unfinished trial are NaN, and so are unknown numbers of threads."""
    frame = pd.DataFrame([_trial_row(r, suite) for r in results], columns=list(trial_columns()))
    numbers = [*metric_columns(), *VALIDATION, "oracle_accuracy", *MADE, *SECONDS, *NUMBERS, "threads"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _trial_row(result: TrialResult, suite: str) -> dict[str, Any]:
    spec, environment = result.spec, result.environment
    row = {
        "trial_id": result.trial_id,
        "suite": suite,
        **data_values(spec.data, result.train_counts),
        "method": spec.method.name,
        "label": spec.method.label,
        "params": written(dict(spec.method.params)),
        "model": spec.recipe.model,
        "recipe": environment.get("recipe_label", spec.recipe.label),
        "epochs": spec.recipe.epochs,
        "seed": spec.seed,
        "status": result.status,
        "cause": result.cause,
        "collapsed": result.status == OK and collapsed(result.outcome().predicted),
        "searched": "searched_by" in environment,
        "train_images": sum(result.train_counts),
        "images_per_second": result.images_per_second,
        "protocol": spec.protocol,
        "schema": SCHEMA,
        "environment": written(environment),
        "spec": written_spec(spec),
        **{column: result.seconds.get(column.removesuffix("_seconds"), math.nan) for column in SECONDS},
        **{key: environment.get(key) for key in ENVIRONMENT},
    }
    if result.status == OK:
        row.update(result.metrics())
        if result.validated:
            row.update({f"validation_{k}": v for k, v in on_curves(result.outcome(validation=True)).items()})
        # The best epoch on the test set, which much public code reports. Nothing is chosen by it here.
        row["oracle_accuracy"] = max(point["test_accuracy"] for point in result.curve)
        scored = [picture["scores"] for picture in result.pictures if "scores" in picture]
        if scored:
            row.update({name: sum(scores[name] for scores in scored) / len(scored) for name in MADE})
    return row


def per_class(results: Sequence[TrialResult], suite: str) -> pd.DataFrame:
    """One row per trial and class."""
    parts = [
        {
            "trial_id": r.trial_id,
            "class": range(len(r.train_counts)),
            "train_count": r.train_counts,
            "recall": r.outcome().recall,
            "precision": r.outcome().precision,
        }
        for r in results
        if r.status == OK
    ]
    return _joined(parts, ["trial_id"], ["class", "train_count", "recall", "precision"])


def _joined(parts: Sequence[Mapping[str, Any]], of_part: Sequence[str], of_class: Sequence[str]) -> pd.DataFrame:
    """One row per part and class. The columns ``of_part`` have one value per part, and the columns ``of_class`` one value per
    class. The frame is built column by column, because thousands of classes make millions of rows.
    """
    if not parts:
        return pd.DataFrame(columns=[*of_part, *of_class])
    classes = [len(part[of_class[0]]) for part in parts]
    once = {name: pd.Series([part[name] for part in parts]).repeat(classes).to_numpy() for name in of_part}
    return pd.DataFrame(once | {name: np.concatenate([part[name] for part in parts]) for name in of_class})


def curves(results: Sequence[TrialResult], suite: str) -> pd.DataFrame:
    """One row per trial and evaluated epoch."""
    columns = (
        "epoch", "train_loss", "validation_accuracy", "validation_balanced_accuracy", "test_accuracy", "test_balanced_accuracy",
        "mask_rate",
    )  # fmt: skip
    points = [point for r in results for point in r.curve]  # built column by column: twenty points a trial are many dictionaries
    if not points:
        return pd.DataFrame(columns=["trial_id", *columns]).astype(dict.fromkeys(columns[1:], "float64"))
    frame = pd.DataFrame({"trial_id": [trial_id for r in results for trial_id in [r.trial_id] * len(r.curve)]})
    frame["epoch"] = [point.get("epoch") for point in points]
    return frame.assign(**{name: np.array([point.get(name) for point in points], dtype=float) for name in columns[1:]})


def generations(results: Sequence[TrialResult], suite: str) -> pd.DataFrame:
    """One row per trial, training and class of semi-supervised trials: recall and precision of model and pseudo-labels."""
    columns = ("test_recall", "test_precision", "pseudo_recall", "pseudo_precision", "taken")
    parts = [
        {"trial_id": r.trial_id, "class": range(len(r.train_counts)), "train_count": r.train_counts, **made}
        for r in results
        if r.status == OK
        for made in r.generations
    ]
    frame = _joined(parts, ["trial_id", "round"], ["class", "train_count", *columns])
    return frame.astype(
        dict.fromkeys(columns[:4], "float64") | dict.fromkeys(("round", "class", "train_count", "taken"), "int64")
    )


BUILDERS: dict[str, Callable[[Sequence[TrialResult], str], pd.DataFrame]] = {
    "trials": trials,
    "per_class": per_class,
    "curves": curves,
    "rounds": generations,  # named as in the files of older runs
}
_BLOCK = 1000  # records held at a time, because a record with its curve takes ten times the memory of its rows


def build(results: Iterable[TrialResult], suite: str) -> dict[str, pd.DataFrame]:
    """All frames, made in one pass over ``results``, which may be an iterator."""
    stream, blocks = iter(results), []
    while block := list(islice(stream, _BLOCK)):
        blocks.append({name: make(block, suite) for name, make in BUILDERS.items()})
    blocks = blocks or [{name: make([], suite) for name, make in BUILDERS.items()}]
    return {name: _stacked([block[name] for block in blocks]) for name in BUILDERS}


def joined(some: Mapping[str, pd.DataFrame], others: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """All frames of a run from those of two parts of its trials, with the rows that they have if they are made together."""
    both = {name: _stacked([some[name], others[name]]) for name in BUILDERS}
    return {name: frame.sort_values("trial_id", kind="stable", ignore_index=True) for name, frame in both.items()}


def _stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all ``parts``, with the types that their columns have in one frame. Parts without rows are left out, because
    nothing is known about the types of their columns.
    """
    stacked = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return stacked.infer_objects()  # a column of a part in which every value is missing has no type
