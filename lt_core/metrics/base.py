"""What a metric is: one declaration, from which frames, tables, tuning spaces and reports take everything about it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lt_core.metrics.outcome import Outcome

Compute = Callable[[Outcome], float]

_FAILED: set[str] = set()  # names of metrics that have been warned of


@dataclass(frozen=True)
class Metric:
    """A figure of a trial. The result of ``compute`` is stored in ``column`` of the results frame; a figure that is undefined,
    such as few-shot accuracy on data without few-shot classes, is NaN.
    """

    name: str  # as `--metric` takes it and `list metrics` shows it
    quantity: str  # what it is, without its unit
    compute: Compute
    short: str  # for a narrow column
    column: str
    lower_is_better: bool = False
    unit: str = "%"  # with %, a fraction in 0…1 is shown times 100; in any other unit, values are shown as they are
    complement: bool = False  # the metric is 1 − its column
    about: str = ""  # which classes or data it covers, if not all of them
    needs_calibration: bool = False  # computed from confidences, which are kept for the test set only
    needs_predictions: bool = False  # computed from `Outcome.predictions`; NaN if none are kept
    needs_confusion: bool = False  # computed from the confusion matrix, which is not kept above `MATRIX_CLASSES` classes
    measured: bool = False  # by a clock, so that it differs between machines
    on_request: bool = False  # shown only if it is asked for by name, not where all metrics are shown

    @property
    def title(self) -> str:
        """``accuracy in %``."""
        return f"{self.quantity} in {self.unit}" if self.unit else self.quantity

    @property
    def heading(self) -> str:
        """The title with a capital letter, as at the beginning of a sentence."""
        return self.title[0].upper() + self.title[1:]

    def __call__(self, outcome: Outcome) -> float:
        """The metric of ``outcome``, not yet converted to its unit."""
        return float(self.of_column(self.recorded(outcome)))

    def computed(self, outcome: Outcome) -> float:
        """The value for the metric's column; infinite values become NaN, as does a metric whose inputs were not recorded.

        Raises:
            Exception: whatever ``compute`` raises.
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
        """The value for the metric's column. A metric that fails is NaN, with one warning: the run goes on, because the raw
        counts are kept in any case.
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
        """The metric from the values in its column, which may be a number, an array or a column of a data frame."""
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
        """Whether the metric has a value on data with these class sizes, [C]; decided by computing it for perfect predictions."""
        return self.measured or not math.isnan(self.recorded(Outcome.perfect(train_counts)))
