"""What all kinds of chart share: which trials and methods they show, and how these are named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.analysis.comparable import BASELINE, chosen, comparable, machines, measured_on
from bench.records.columns import LABEL_HEADINGS, data_column, describe, group_name
from bench.records.finding import name_for
from lt_core.errors import UserError
from lt_core.result import OK

if TYPE_CHECKING:
    from bench.records.store import Store
    from bench.report.charts import Panel
    from lt_core.result import TrialResult
    from lt_core.spec import DataSpec

#: The most methods in one chart; readers could not distinguish more lines.
MOST = 8


@dataclass(frozen=True)
class DataColumn:
    """Trials on the same data, apart from seeds and subsets."""

    name: str  # digits IF 50
    group: str  # digits
    factor: float
    rows: pd.DataFrame


def finished(store: Store, only: str, column: Sequence[str] = LABEL_HEADINGS) -> tuple[pd.DataFrame, list[str]]:
    """Finished trials of one budget, with notes on what was left out, and on devices if there are several. ``column`` holds the
    keys that define a data column.

    Raises:
        UserError: no trial has finished.
    """
    key = finished.__name__, only, *column
    if key not in store.derived:  # a page draws a dozen charts from the same rows
        drawn = store.frame().drop(columns=["environment", "spec"])  # long texts, and the rows are copied several times
        store.derived[key] = comparable(chosen(drawn, only), column)
    frame, searched, left_out = store.derived[key]
    notes = [*searched, *map(str, left_out)]
    notes += [measured_on(frame)] if len(machines(frame)) > 1 else []
    frame = frame[frame["status"] == OK]
    if frame.empty:
        raise UserError(f"{store.path} has no finished trial of these methods, so there is nothing to draw")
    return frame, notes


def data_columns(frame: pd.DataFrame) -> list[DataColumn]:
    """Data columns in the order of the tables: datasets as they come, factors from the largest down."""
    made, groups = [], list(frame.groupby(LABEL_HEADINGS, sort=False, dropna=False))
    for (dataset, shape, share, factor), rows in groups:
        name = describe(rows.iloc[0], (other.iloc[0] for _, other in groups))
        made.append(DataColumn(name, group_name(dataset, shape, share), float(factor), rows))
    places = {name: i for i, name in enumerate(dict.fromkeys(column.group for column in made))}
    return sorted(made, key=lambda column: (places[column.group], -column.factor))


def hardest(columns: Sequence[DataColumn]) -> list[DataColumn]:
    """From each group, the data column with the largest imbalance factor."""
    return list({column.group: column for column in reversed(columns)}.values())[::-1]


def best(frame: pd.DataFrame, how: str = "", most: int = MOST) -> tuple[list[str], list[str]]:
    """The labels to draw, cross-entropy first, and a note if some are left out. Besides cross-entropy, these are the best by mean
    balanced accuracy, where every data column has the same weight. Methods that were run on more data columns come first, because
    means over different columns are not comparable. ``how``: `others`, unless the chart also shows the others.
    """
    labels = list(dict.fromkeys(frame["label"]))
    labels.sort(key=lambda label: label != BASELINE)
    if len(labels) <= most:
        return labels, []
    cells = frame.groupby([*LABEL_HEADINGS, "label"], dropna=False)["balanced_accuracy"].mean()
    means = cells.groupby("label").agg(["size", "mean"]).sort_values(["size", "mean"], ascending=False, kind="stable")
    first = [label for label in labels if label == BASELINE]
    kept = [*first, *[str(label) for label in means.index if label not in first][: most - len(first)]]
    words = f"the best {most - len(first)} of {len(labels)} methods by mean balanced accuracy on the test set"
    words += ", with those run on the most data columns first" if means["size"].nunique() > 1 else ""
    return kept, [f"drawn: {words}{f', and {BASELINE}' if first else ''}{how and f'; {how}'}"]


def others(store: Store, kind: str) -> str:
    """How a reader draws what a chart of this kind leaves out, as the end of a note."""
    return f"to draw others: `python bench.py plot {kind} --run {name_for(store.path)} --only NAMES`"


def one_scale(panels: Sequence[Panel]) -> tuple[Panel, ...]:
    """The panels, where matrices with the same unit share a colour scale, so that a colour means the same in all of them. A
    matrix with ends of its own keeps them; diverging scales are symmetric about zero.
    """
    ends: dict[str, tuple[float, float]] = {}
    for heat in (panel.heat for panel in panels if panel.heat):
        found = [value for row in heat.values for value in row if value is not None] or [0.0]
        low, high = (-max(map(abs, found)), max(map(abs, found))) if heat.diverging else (min(found), max(found))
        before = ends.get(heat.unit, (low, high))
        ends[heat.unit] = min(low, before[0]), max(high, before[1])
    return tuple(
        replace(panel, heat=replace(panel.heat, low=ends[panel.heat.unit][0], high=ends[panel.heat.unit][1]))
        if panel.heat and panel.heat.low is None
        else panel
        for panel in panels
    )


def counted(sizes: pd.Series) -> str:
    """``n = 3``, or ``n = 2–3`` where it differs from point to point."""
    low, high = int(sizes.min()), int(sizes.max())
    return f"n = {low}" if low == high else f"n = {low}–{high}"


def spread(values: pd.Series) -> pd.Series:
    """Standard deviations (n − 1), with 0 where a single trial has none."""
    return values.fillna(0.0)


def floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def first_trials(results: Iterable[TrialResult]) -> dict[tuple[str, DataSpec], TrialResult]:
    """For each label and data column, the trial with the lowest subset and seed, in the order of labels, sets and factors."""
    found: dict[tuple[str, DataSpec], TrialResult] = {}
    for result in sorted(results, key=lambda r: (r.spec.data.subset_seed, r.spec.seed)):
        found.setdefault((result.spec.method.label, data_column(result.spec.data)), result)
    return dict(sorted(found.items(), key=lambda item: _order(*item[0])))


def _order(label: str, data: DataSpec) -> tuple[bool, str, str, str, int, float]:
    return label != BASELINE, label, data.dataset, data.imbalance_type, data.n_max, -data.imbalance_factor


def records(store: Store, frame: pd.DataFrame) -> dict[str, list[TrialResult]]:
    """Label → the records of its rows in ``frame``.

    Raises:
        UserError: the run has only its Parquet files.
    """
    labels, found = dict(zip(frame["trial_id"], frame["label"], strict=True)), dict[str, list[Any]]()
    for result in store.results_of(labels):
        found.setdefault(labels[result.trial_id], []).append(result)
    if not found:
        raise UserError(f"{store.path} contains Parquet files but not the records of these trials, which this chart needs")
    return found
