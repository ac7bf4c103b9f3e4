"""What a metric is: one declaration, from which frames, tables, tuning spaces and reports take everything about it."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from lt_core.errors import UserError, unknown
from lt_core.metrics.counts import MARGINS, MATRIX_CLASSES, TOP, margins_of, shares
from lt_core.metrics.priors import TEST_PRIORS, accuracies_under
from lt_core.predictions import Predictions
from lt_core.registry import Registry
from lt_core.spec import DataSpec

_FACTORS = tuple(TEST_PRIORS.values())


@dataclass(frozen=True)
class Outcome:
    """What a trial recorded on the test set or the validation split: everything that a metric may use.

    Attributes:
        confusion: float [C, C], images; row = true class, column = predicted. None where a record keeps counts by class in its
            place, which it does above `MATRIX_CLASSES` classes.
        train_counts: float [C], training images of each class.
        calibration: float [3, BINS] from `calibration_bins`; None where confidences are not kept, as on the validation split.
        class_calibration: float [C, 3, BINS] from `class_calibration_bins`; None there too, and in older records.
        seconds: of the whole trial, by activity: setup, train, evaluate.
        images_per_second: of training alone; NaN if it was not measured.
        kept: loads what was predicted of each image; None where no predictions are kept, as in most runs.
        counts: float [C] each: ``images``, ``right`` and ``predicted`` where there is no confusion matrix, and ``top_five``, the
            images of each class with their label among the five most probable ones, where there are more than five classes.
            Older records lack ``top_five``.
    """

    confusion: np.ndarray | None
    train_counts: np.ndarray
    calibration: np.ndarray | None = None
    class_calibration: np.ndarray | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    images_per_second: float = math.nan
    kept: Callable[[], Predictions | None] | None = field(default=None, compare=False, repr=False)
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        confusion: Any,
        train_counts: Any,
        calibration: Any = None,
        class_calibration: Any = None,
        *,
        counts: Mapping[str, Any] | None = None,
        **measured: Any,
    ) -> Outcome:
        """An outcome of lists, as records hold them; ``confusion`` is None where ``counts`` stand in its place."""
        matrix, bins, by_class = (
            None if kept is None else np.asarray(kept, dtype=float) for kept in (confusion, calibration, class_calibration)
        )
        counted = {name: np.asarray(values, dtype=float) for name, values in (counts or {}).items()}
        return cls(matrix, np.asarray(train_counts, dtype=float), bins, by_class, counts=counted, **measured)

    @classmethod
    def perfect(cls, train_counts: Sequence[float]) -> Outcome:
        """One image of each class, all predicted correctly, in a trial with these class sizes, [C]; without confidences."""
        classes = len(train_counts)
        every = np.ones(classes)
        counts = {"top_five": every} if classes > TOP else {}
        if classes <= MATRIX_CLASSES:
            return cls.of(np.eye(classes), train_counts, counts=counts)
        return cls.of(None, train_counts, counts=counts | dict.fromkeys(MARGINS, every))

    @cached_property
    def _margins(self) -> Sequence[np.ndarray]:
        return [self.counts[name] for name in MARGINS] if self.confusion is None else margins_of(self.confusion)

    @property
    def images(self) -> np.ndarray:
        """[C] images of each class."""
        return self._margins[0]

    @property
    def right(self) -> np.ndarray:
        """[C] correctly predicted images of each class."""
        return self._margins[1]

    @property
    def predicted(self) -> np.ndarray:
        """[C] predictions of each class, correct and wrong."""
        return self._margins[2]

    @property
    def top_five(self) -> np.ndarray | None:
        """[C] images of each class with their label among the five most probable; None with five classes or fewer, and of
        records that are older than this count.
        """
        return self.counts.get("top_five")

    @property
    def predictions(self) -> Predictions | None:
        """The predictions for each image, if the run kept them (`--keep predictions`); read on demand and not held in memory,
        because there may be thousands of outcomes.

        Raises:
            UserError: the file is missing, damaged or another trial's.
        """
        return self.kept() if self.kept else None

    @cached_property
    def recall(self) -> np.ndarray:
        """[C]; NaN for a class without images."""
        return shares(self.right, self.images, np.nan)

    @cached_property
    def tested(self) -> tuple[np.ndarray, tuple[float, ...]]:
        """Recall and training images of the classes that have test images."""
        there = ~np.isnan(self.recall)
        return self.recall[there], tuple(self.train_counts[there].tolist())

    @cached_property
    def by_prior(self) -> dict[str, float]:
        """Accuracy under each of `TEST_PRIORS`; NaN where all classes have as many training images."""
        recall, counts = self.tested
        if min(counts) == max(counts):
            return dict.fromkeys(TEST_PRIORS, math.nan)
        return dict(zip(TEST_PRIORS, accuracies_under(recall, counts, _FACTORS).tolist(), strict=True))

    @cached_property
    def precision(self) -> np.ndarray:
        """[C]; 0 for a class never predicted."""
        return shares(self.right, self.predicted, 0.0)

    @cached_property
    def f1(self) -> np.ndarray:
        """[C] harmonic mean of recall and precision, 0 where both are; NaN for a class without images."""
        both = self.recall + self.precision
        made = np.divide(2 * self.recall * self.precision, both, out=np.zeros(len(both)), where=both > 0)
        return np.where(np.isnan(self.recall), np.nan, made)


Compute = Callable[[Outcome], float]

#: Names that no metric may have, since columns beside the figures do: of the results frame, and of the leaderboard.
RESERVED = frozenset(
    {field.name for field in fields(DataSpec)}
    | {
        "trial_id", "suite", "unlabelled_imbalance_factor", "method", "label", "params", "model", "recipe", "epochs", "seed",
        "status", "cause", "collapsed", "searched", "validation_accuracy", "validation_balanced_accuracy", "oracle_accuracy",
        "inception_accuracy", "judge_accuracy", "kid", "near_copies",
        "train_images", "evaluate_seconds", "setup_seconds", "device", "device_name", "threads", "precision", "data_fingerprint",
        "subset_fingerprint", "git_commit", "git_dirty", "torch", "python", "protocol", "schema", "environment", "spec",
        "column", "n", "failed", "rank", "average_rank", "rank_interval", "chance_best", "tied", "untested", "gpu_hours",
        "published", "paper", "difference", "verdict", "relative_accuracy", "reference", "run", "devices", "left_out", "command",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A figure of a trial. The result of ``compute`` is stored in ``column`` of the results frame; a figure that does not exist,
    such as few-shot accuracy without few-shot classes, is NaN.
    """

    name: str  # as `--metric` takes it and `list metrics` shows it
    quantity: str  # what it is, without its unit
    compute: Compute
    short: str  # for a narrow column
    column: str
    lower_is_better: bool = False
    unit: str = "%"  # %: a fraction in 0…1, shown times 100; anything else is shown as it is
    complement: bool = False  # the metric is 1 − its column
    about: str = ""  # the classes that it is about, where they are not all of them
    needs_calibration: bool = False  # made of confidences, which are kept of the test set alone
    needs_predictions: bool = False  # looks at `Outcome.predictions`, and is not there where none are kept
    needs_confusion: bool = False  # looks at which class is taken for which, which is not kept above `MATRIX_CLASSES` classes
    measured: bool = False  # by a clock, and so another on another machine
    on_request: bool = False  # a column for whoever asks for it by name; what shows all metrics leaves it out

    @property
    def title(self) -> str:
        """``accuracy in %``."""
        return f"{self.quantity} in {self.unit}" if self.unit else self.quantity

    @property
    def heading(self) -> str:
        """The title as a sentence begins."""
        return self.title[0].upper() + self.title[1:]

    def __call__(self, outcome: Outcome) -> float:
        """The metric of ``outcome``, not yet in its unit."""
        return float(self.of_column(self.recorded(outcome)))

    def computed(self, outcome: Outcome) -> float:
        """The value for its column, unless ``compute`` fails; infinite values become NaN.

        Raises: whatever ``compute`` raises.
        """
        if self.needs_calibration and outcome.calibration is None:
            return math.nan
        if self.needs_predictions and outcome.kept is None:
            return math.nan
        if self.needs_confusion and outcome.confusion is None:
            return math.nan
        value = float(self.compute(outcome))
        return value if math.isfinite(value) else math.nan

    def recorded(self, outcome: Outcome) -> float:
        """The value for its column. A metric that fails is NaN, with one warning: the run goes on, and raw counts are kept
        anyway.
        """
        try:
            return self.computed(outcome)
        except Exception as error:
            if self.name not in _FAILED:
                _FAILED.add(self.name)
                warnings.warn(
                    f"metric {self.name} fails for some trials and is left empty there: {type(error).__name__}: {error}",
                    stacklevel=2,
                )
            return math.nan

    def of_column(self, values: Any) -> Any:
        """The metric from the values in its column: a number, an array or a column of a data frame."""
        return 1 - values if self.complement else values

    def in_unit(self, values: Any) -> Any:
        """Values of the metric in the unit that readers see."""
        return 100 * values if self.unit == "%" else values

    def words(self, value: float) -> str:
        """``81.5 %``."""
        return f"{self.in_unit(value):.1f} {self.unit}".rstrip()

    def better(self, value: float, other: float) -> bool:
        """Whether ``value`` is better than ``other``."""
        return value < other if self.lower_is_better else value > other

    def applies(self, train_counts: Sequence[float]) -> bool:
        """Whether the metric has a value on data with these class sizes, [C]; found from perfect predictions."""
        return self.measured or not math.isnan(self.recorded(Outcome.perfect(train_counts)))


METRICS: Registry[Metric] = Registry("metric")
_FAILED: set[str] = set()  # names of metrics of which it was said


def metric(name: str, quantity: str, **declared: Any) -> Callable[[Compute], Metric]:
    """Decorator: register a function of an `Outcome` as a metric.

    >>> from lt_core.metrics import METRICS, Outcome, metric
    >>> @metric("best_class", "recall of the best class")
    ... def best_class(outcome):
    ...     return float(outcome.recall.max())
    >>> METRICS["best_class"](Outcome.of([[90, 10], [5, 5]], train_counts=[900, 10]))
    0.9

    Args:
        declared: fields of `Metric`; short and column are the name unless they are given.

    Raises:
        UserError: a name that cannot be a column's, or a name or a column that something else goes by.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"metric '{name}' becomes the name of a column: use lower-case letters, digits and '_'")
    for word in (name, declared.get("column", name)):
        if word in RESERVED:
            raise UserError(f"metric {name}: '{word}' is already a column of the results or the leaderboard: choose another name")

    def declare(function: Compute) -> Metric:
        compute = function.compute if isinstance(function, Metric) else function
        made = Metric(name, quantity, compute, **{"short": name, "column": name, **declared})
        for other in METRICS.values():
            shared = {made.name, made.column} & {other.name, other.column}
            if shared and other.name != name and other.compute is not compute:
                raise UserError(f"metrics {other.name} and {name} share the name '{shared.pop()}': rename one of them")
        return METRICS.add(name, made)

    return declare


def recorded(outcome: Outcome) -> dict[str, float]:
    """Column → its value, for every metric."""
    of_columns = {made.column: made for made in METRICS.values()}  # a metric and its complement share one
    return {column: made.recorded(outcome) for column, made in of_columns.items()}


def metric_of(key: str, kind: str = "metric", where: str = "") -> Metric:
    """The metric with that name or column.

    Raises:
        UserError: there is none; ``kind`` and ``where`` are for the message.
    """
    known = {made.column: made for made in METRICS.values() if not made.complement} | {n: METRICS[n] for n in METRICS}
    if key not in known:
        raise unknown(kind, key, known, where)
    return known[key]
