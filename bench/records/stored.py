"""Trials as a run keeps them: as records or, where these were not kept, as rows of its Parquet files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.records import frames, parquet
from bench.records.columns import MACHINE
from bench.records.layout import VALIDATION
from bench.records.nested import environments_of, specs_of
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.metrics import MARGINS
from lt_core.result import OK, TrialResult
from lt_core.spec import TrialSpec

FEATURES = "features_fingerprint"  # the frozen features that a trial was trained on
#: The kind of device in a trial's environment. On one kind, the figures depend only on the trial's id.
KIND = (*MACHINE, "processor", "torch", FEATURES)


def precedence(status: str, searched: bool) -> tuple[bool, bool]:
    """Which of several copies of a trial is used: the one with the smallest value. A trial of a suite comes before one of a
    search, whose figures are not shown, and a finished one before a failed one.
    """
    return searched, status != OK


def figures_of(result: TrialResult) -> tuple[object, ...]:
    """The figures of a trial, without those that depend on the clock and the machine, or that older records lack."""
    parts = (result.confusion, result.class_counts), (result.validation_confusion, result.validation_class_counts)
    margins = [[counts.get(name) for name in MARGINS] for _, counts in parts]
    return result.status, result.train_counts, *(matrix for matrix, _ in parts), margins


@dataclass(frozen=True)
class Stored:
    """A trial of a run.

    Attributes:
        figures: what was measured, without what depends on the clock; only compared with figures from the same kind of source.
        of_row: the accuracy in a row of a Parquet file.
        record: the whole record; None for a row of a Parquet file.
    """

    spec: TrialSpec
    status: str
    environment: Mapping[str, Any]
    figures: object
    of_row: float = math.nan
    record: TrialResult | None = None

    @property
    def trial_id(self) -> str:
        return self.spec.trial_id

    @property
    def precedence(self) -> tuple[bool, bool]:
        return precedence(self.status, "searched_by" in self.environment)

    @property
    def accuracy(self) -> float:
        """On the test set, a fraction. A record's is computed only when asked for, with all other metrics of the trial."""
        return self.record.metrics()["accuracy"] if self.record else self.of_row

    def alike(self, result: TrialResult) -> Stored:
        """``result`` with figures that can be compared with these."""
        if self.record:
            return from_record(result)
        return next(_from_rows(frames.trials([result], ""), frames.per_class([result], "")))

    @property
    def compared(self) -> str:
        """What the figures are, in words."""
        return "figures" if self.record else "recall and precision of every class"


def stored_in(store: Store, from_parquet: bool | None = None) -> Iterator[Stored]:
    """The trials of a run, in order of trial ID.

    Args:
        from_parquet: read the Parquet files instead of the records [default: if there are no records].

    Raises:
        UserError: records or files are damaged, contradict each other, or are too old to be compared.
    """
    if not (store.only_parquet() if from_parquet is None else from_parquet):
        yield from map(from_record, store.results())
        return
    trials, per_class = store.frame().sort_values("trial_id"), store.per_class()
    _check(store, trials, per_class)
    yield from _from_rows(trials, per_class)


def _check(store: Store, trials: pd.DataFrame, per_class: pd.DataFrame) -> None:
    file = store.path / "trials.parquet"
    if store.only_parquet() and (older := parquet.too_old(store.path)):
        raise UserError(f"{file} was written by an older version and lacks the column {min(older)}: it can only be read")
    for trial_id, spec in zip(trials["trial_id"], specs_of(trials), strict=True):
        if trial_id != spec.trial_id:
            raise UserError(f"{file}: the spec of trial {trial_id} belongs to trial {spec.trial_id}: copy the file again")
    if without := sorted(set(trials.loc[trials["status"] == OK, "trial_id"]) - set(per_class["trial_id"])):
        raise UserError(f"{store.path} has no figures by class of trial {without[0]}: copy per_class.parquet there again")


def from_record(result: TrialResult) -> Stored:
    """A trial from its record: every cell of the confusion matrices counts."""
    return Stored(result.spec, result.status, result.environment, figures_of(result), record=result)


def _from_rows(trials: pd.DataFrame, per_class: pd.DataFrame) -> Iterator[Stored]:
    """Trials from their rows: recall and precision of every class count, and the accuracies on the validation split."""
    by_class = dict(iter(per_class.groupby("trial_id", sort=False)))
    validated = trials[list(VALIDATION)].astype(float).to_numpy()
    rows = zip(specs_of(trials), trials["status"], environments_of(trials), trials["accuracy"], validated, strict=True)
    for spec, status, environment, accuracy, of_split in rows:
        classes = by_class.get(spec.trial_id)
        figures = [status, _exact(of_split.tolist())]
        figures += [] if classes is None else [_exact(classes[name]) for name in ("train_count", "recall", "precision")]
        yield Stored(spec, status, environment, figures, float(accuracy))


def _exact(values: Sequence[float]) -> list[str]:
    """Numbers as texts, so that NaN equals NaN."""
    return [float(value).hex() for value in values]
