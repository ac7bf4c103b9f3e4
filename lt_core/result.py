"""The result of a trial: one JSON record."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from lt_core.errors import UserError
from lt_core.metrics import Outcome, recorded
from lt_core.predictions import Kept
from lt_core.recorded import check_fields, check_measured
from lt_core.spec import TrialSpec, unknown_fields

#: Version of the record's layout; increased when a reader of old records would misread new ones.
SCHEMA = 1

OK, DIVERGED, FAILED, OOM, TIMEOUT, LOST = "ok", "diverged", "failed", "oom", "timeout", "lost"
#: Stopped by a study because it was not promising: the trial did not fail, and did not finish either.
PRUNED = "pruned"
#: A trial with one of these is run again when it is requested, although it has a record.
UNSETTLED = (LOST, PRUNED)
#: A trial with one of these continues from its checkpoint when it is run again.
RESUMABLE = (*UNSETTLED, TIMEOUT)
STATUSES = (OK, DIVERGED, FAILED, OOM, TIMEOUT, *UNSETTLED)
_KEYS = {"generations": "rounds"}  # field → the name that it has always had in records
#: Fields that a record has only if they are not empty, so that other records stay as they were before these fields existed.
_IF_ANY = ("class_counts", "validation_class_counts")


class NewerVersion(UserError):
    """A record contains something that this version of the benchmark does not know; it is intact and must not be discarded."""


@dataclass(frozen=True)
class TrialResult:
    """Everything that was measured in one trial. Raw counts are stored; figures are derived from them.

    >>> from lt_core.methods import resolve
    >>> from lt_core.recipes import RECIPES
    >>> from lt_core.spec import DataSpec
    >>> spec = TrialSpec(DataSpec("mnist_3v5"), resolve("softmax"), RECIPES["mnist_mlp"])
    >>> counts = {"train_counts": [900, 10], "confusion": [[90, 10], [5, 5]]}
    >>> result = TrialResult(spec, **counts, curve=[{"epoch": 1, "test_accuracy": 0.86, "test_balanced_accuracy": 0.7}])
    >>> result.metrics()["balanced_accuracy"]
    0.7
    >>> TrialResult.from_record(result.to_record()).to_record() == result.to_record()
    True
    """

    spec: TrialSpec
    status: str = OK
    cause: str = ""  # one line; empty if ok
    traceback: str = ""
    train_counts: list[int] = field(default_factory=list)  # images of each class trained on
    # Test set, last epoch; row = true class. Empty above `metrics.MATRIX_CLASSES` classes: see ``class_counts``.
    confusion: list[list[int]] = field(default_factory=list)
    calibration: list[list[float]] = field(default_factory=list)  # test set, see metrics.calibration_bins
    class_calibration: list[list[list[float]]] = field(default_factory=list)  # by class; older records have none
    validation_confusion: list[list[int]] = field(default_factory=list)  # empty: no validation split, or too many classes
    curve: list[dict[str, float]] = field(default_factory=list)  # one row per evaluated epoch
    generations: list[dict[str, Any]] = field(default_factory=list)  # the quality of each training by class; see diagnosis
    embedding: list[list[float]] = field(default_factory=list)  # [x, y, label] of test images, on request
    pictures: list[dict[str, Any]] = field(default_factory=list)  # generated images, on request; see generation
    seconds: dict[str, float] = field(default_factory=dict)  # setup, train, evaluate
    images_per_second: float = math.nan  # of training alone
    environment: dict[str, Any] = field(default_factory=dict)  # device, versions, fingerprints, commit
    # Test set, by class: images with their label among the five most probable (``top_five``, with more than five classes; older
    # records lack it), and `metrics.MARGINS` if there is no confusion matrix.
    class_counts: dict[str, list[int]] = field(default_factory=dict)
    validation_class_counts: dict[str, list[int]] = field(default_factory=dict)  # the same for the validation split
    kept: Callable[[], Kept] | None = field(default=None, compare=False, repr=False)  # loads predictions; not recorded

    @property
    def trial_id(self) -> str:
        return self.spec.trial_id

    def outcome(self, validation: bool = False) -> Outcome:
        """The last epoch as metrics see it: on the test set, or on the validation split, for which confidences are not kept."""
        return self._validation if validation else self._tested

    @cached_property
    def _tested(self) -> Outcome:
        bins = self.calibration or None, self.class_calibration or None
        kept = (lambda load=self.kept: load().test) if self.kept else None
        return Outcome.of(self.confusion or None, self.train_counts, *bins, counts=self.class_counts, kept=kept, **self._measured)

    @cached_property
    def _validation(self) -> Outcome:
        kept = (lambda load=self.kept: load().validation) if self.kept else None
        counts = self.validation_class_counts
        return Outcome.of(self.validation_confusion or None, self.train_counts, counts=counts, kept=kept, **self._measured)

    @property
    def validated(self) -> bool:
        """Whether anything was measured on a validation split."""
        return bool(self.validation_confusion or self.validation_class_counts)

    @property
    def _measured(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "images_per_second": self.images_per_second}

    def metrics(self) -> dict[str, float]:
        """Figures of the last epoch on the test set, by their columns in the results frame."""
        return recorded(self.outcome())

    def validation_metrics(self) -> dict[str, float]:
        """Figures of the last epoch on the validation split; empty if there is none."""
        return recorded(self.outcome(validation=True)) if self.validated else {}

    def to_record(self) -> dict[str, Any]:
        """Plain JSON values; NaN becomes null."""
        mine = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("spec", "kept")}
        values = {_KEYS.get(name, name): value for name, value in mine.items() if value or name not in _IF_ANY}
        record: dict[str, Any] = _finite({"schema": SCHEMA, "trial_id": self.trial_id, "spec": self.spec.to_dict(), **values})
        return record

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> TrialResult:
        """The inverse of `to_record`, checked: its ID must match its spec, and types, shapes and ranges must be valid.

        Raises:
            NewerVersion: it was written by a newer version of the benchmark.
            ValueError: it is not a record, or it is damaged; the message names the field.
        """
        refuse_newer(record)
        names = {key: name for name, key in _KEYS.items()}
        values = {names.get(k, k): v for k, v in record.items() if k not in _ABOUT}
        try:
            values["images_per_second"] = math.nan if values["images_per_second"] is None else values["images_per_second"]
            check_fields(values)
            made = cls(spec=TrialSpec.from_dict(record["spec"]), **values)
            if made.trial_id != record["trial_id"]:
                raise ValueError(f"its spec belongs to trial {made.trial_id}, but its trial_id is different")
            if made.status not in STATUSES:
                raise ValueError(f"its status is not one of {', '.join(STATUSES)}")
            if made.status == OK:
                check_measured(values, made.outcome(), made.outcome(validation=True) if made.validated else None)
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError, ValueError) as error:
            if unknown := unknown_fields(record.get("spec")):
                raise NewerVersion(f"it has a field '{unknown[0]}', which this version does not know") from None
            if isinstance(error, KeyError):
                raise ValueError(f"it lacks {error}") from None
            if isinstance(error, ValueError):
                raise
            raise ValueError(f"it cannot be read: {error}") from None
        return made


def refuse_newer(record: Any) -> None:
    """Raise for a record that this version cannot read.

    Raises:
        NewerVersion: it is from a newer version.
        ValueError: it is not a record.
    """
    if not isinstance(record, dict) or type(record.get("schema")) is not int:
        raise ValueError("it is not the record of a trial")
    if record["schema"] > SCHEMA:
        raise NewerVersion(f"it has schema {record['schema']}, but this version reads up to {SCHEMA}")
    if unknown := record.keys() - _FIELDS:
        raise NewerVersion(f"it has a field '{min(unknown)}', which this version does not know")


_ABOUT = ("schema", "trial_id", "spec")
_FIELDS = {*_ABOUT} | {_KEYS.get(f.name, f.name) for f in fields(TrialResult) if f.name not in ("spec", "kept")}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
