"""One line of the table and of the figure of gains: a study's figures and its gains over the baseline."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.gains import DECLARED, TUNED, Compared, Confirmed, confirming, over_baseline
from bench.report.tables.cells import cell_of
from bench.report.tables.table import Cell
from lt_core.metrics import metric_of


@dataclass(frozen=True)
class Gain:
    """One study compared with the baseline, in the metric's unit, on fresh subsets and seeds.

    ``over_declared`` and ``over_tuned`` compare the tuned method with the baseline's declared and tuned setting. They are None if
    there are no pairs of trials; for the baseline itself, ``over_tuned`` is None.
    """

    study: Confirmed
    declared: Cell
    tuned: Cell
    over_declared: Comparison | None
    over_tuned: Comparison | None

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.study.name


def gains(compared: Compared, frame: pd.DataFrame) -> list[Gain]:
    """The baseline, then the other studies, the largest gain over the tuned baseline first.

    Args:
        frame: the rows of the run, one per trial.
    """
    metric, rows = metric_of(compared.metric), confirming(compared, frame)
    over_tuned, over_declared = (over_baseline(compared, rows, how) for how in (TUNED, DECLARED))
    made = [
        Gain(
            study, cell_of(metric, rows[study.name, DECLARED]), cell_of(metric, rows[study.name, TUNED]),
            over_declared.get(study.name), over_tuned.get(study.name),
        )
        for study in compared.studies
    ]  # fmt: skip
    sign = -1 if metric.lower_is_better else 1

    def place(one: Gain) -> tuple[bool, float]:
        return one.name != compared.baseline, -sign * (one.over_tuned.difference if one.over_tuned else 0)

    return sorted(made, key=place)
