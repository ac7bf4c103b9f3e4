"""The figures that a table can show."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lt_core.registry import Registry
from lt_core.result import OK


@dataclass(frozen=True)
class Figure:
    """A column of the results frame as a table shows it; fractions are shown in %."""

    name: str
    title: str
    column: str
    short: str  # for a narrow column
    lower_is_better: bool = False
    percent: bool = True
    complement: bool = False  # show 1 − the column

    @property
    def heading(self) -> str:
        """The title as a sentence begins."""
        return self.title[0].upper() + self.title[1:]

    def of(self, frame: pd.DataFrame) -> pd.Series:
        """The figure of each row of ``frame``, NaN where there is none."""
        values = 1 - frame[self.column] if self.complement else frame[self.column]
        return 100 * values if self.percent else values

    def values(self, frame: pd.DataFrame) -> pd.Series:
        """The figure of each finished trial of ``frame``."""
        return self.of(frame[frame["status"] == OK]).dropna()


FIGURES: Registry[Figure] = Registry("metric")
for _figure in (
    Figure("error", "error rate in %", "accuracy", "error", lower_is_better=True, complement=True),
    Figure("accuracy", "accuracy in %", "accuracy", "accuracy"),
    Figure("acsa", "balanced accuracy (ACSA) in %", "balanced_accuracy", "ACSA"),
    Figure("many", "accuracy on many-shot classes in %", "many_accuracy", "many"),
    Figure("medium", "accuracy on medium-shot classes in %", "medium_accuracy", "medium"),
    Figure("few", "accuracy on few-shot classes in %", "few_accuracy", "few"),
    Figure("macro_f1", "macro-F1 in %", "macro_f1", "macro-F1"),
    Figure("minority_f1", "F1 of the smallest class in %", "minority_f1", "F1 (min.)"),
    Figure("g_mean", "G-mean in %", "g_mean", "G-mean"),
    Figure("ece", "expected calibration error in %", "ece", "ECE", lower_is_better=True),
    Figure("images_per_second", "images a second in training", "images_per_second", "images/s", percent=False),
    Figure("seconds", "training seconds", "train_seconds", "seconds", lower_is_better=True, percent=False),
):
    FIGURES.add(_figure.name, _figure)
