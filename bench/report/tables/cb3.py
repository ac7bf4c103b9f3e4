"""Table 3 of Cui et al. 2019: top-1 and top-5 error at scale, by network, loss and size of the pictures."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pandas as pd

from bench.analysis.comparable import comparable, measured_on, of_largest, reported
from bench.analysis.published import as_metric, published
from bench.records.columns import HEADINGS
from bench.records.nested import specs_of
from bench.report.tables.cells import cell_of
from bench.report.tables.layout import Grid
from bench.report.tables.table import Cell, Table
from lt_core.errors import UserError
from lt_core.labels import format_label, method_of, parse_label
from lt_core.metrics import METRICS
from lt_core.spec import TrialSpec

SHOWN = "trials of its two losses on iNaturalist 2017 and 2018 and ILSVRC 2012 with their natural imbalance"
#: Our set → its name in the table, and in the paper's figures.
_SETS = {
    "inat2017": ("iNaturalist 2017", "inaturalist2017"),
    "inat2018": ("iNaturalist 2018", "inaturalist2018"),
    "ilsvrc2012": ("ILSVRC 2012", "imagenet2012"),
}
#: Our label → its name in the table, and in the paper's figures.
_LOSSES = {
    "softmax": ("Softmax", "softmax"),
    "cb_focal[gamma=0.5,cb_beta=0.999]": ("CB Focal (β = 0.999, γ = 0.5)", "cb_focal"),
}
#: Metric asked for → the metrics of its columns; any other metric has one column per set.
_BESIDE = {"error": ("error", "top5_error"), "accuracy": ("accuracy", "top5_accuracy")}
_PRINTED = {"error_top1": "error", "error_top5": "top5_error"}
_HEADINGS = {"error": "top-1 error", "top5_error": "top-5 error", "accuracy": "top-1 acc.", "top5_accuracy": "top-5 acc."}


class Kind(NamedTuple):
    """What a row of the table shows."""

    loss: str  # our label
    size: int  # height and width of the network's input, in pixels
    model: str

    @property
    def name(self) -> str:
        """``resnet50, Softmax, 224``."""
        return f"{self.model}, {_LOSSES[self.loss][0]}, {self.size}"

    @property
    def place(self) -> tuple[int, int, int, str]:
        """Sort key, in the order of the paper: by loss, by size, and the smaller network first."""
        return list(_LOSSES).index(self.loss), self.size, len(self.model), self.model


def shows(spec: TrialSpec) -> bool:
    """Whether this table shows a trial."""
    return spec.method.label in _LOSSES and spec.data.imbalance_type == "natural" and _set(spec) != ""


def build(frame: pd.DataFrame, metric: str = "error") -> Table:
    """Rows as in the paper, with its figures next to ours; cells that were not run are empty.

    Rows differ in network and picture size, so none is marked as the best.
    """
    frame, notes = reported(_placed(frame))
    printed = _printed()
    grid = Grid()
    for name, (title, _) in _SETS.items():
        ours = dict[Kind, pd.DataFrame]()
        mine, others = _of_one_budget(frame[frame["set"] == name])
        notes += others
        for kind, rows in mine.groupby("kind", sort=False):
            ours[kind], searched, left_out = comparable(rows, HEADINGS)
            notes += [*searched, *map(str, left_out)]
        if not ours:
            continue
        shown = pd.concat(ours.values())
        notes.append(f"{title}: {_budget(shown)}; {measured_on(shown)}")
        for key in _BESIDE.get(metric, (metric,)):
            measured = {kind: cell_of(METRICS[key], rows) for kind, rows in ours.items()}
            grid.add(title, _HEADINGS.get(key, METRICS[key].heading), measured, plain=True)
            paper = [(kind, as_metric(value, of, key)) for (kind, theirs, of), value in printed.items() if theirs == name]
            grid.add_paper(title, {kind: Cell(value) for kind, value in paper if value is not None}, shown)
    kinds = sorted({kind for column in grid.cells for kind in column}, key=lambda kind: kind.place)
    lines = tuple(grid.row(kind.name, kind) for kind in kinds)
    title = (
        f"Class-balanced loss at scale: {METRICS[metric].title}, by network, loss and size (layout of Cui et al. 2019, table 3)"
    )
    notes.append("paper: Cui et al. 2019, table 3, one run")
    return Table("cb3", title, "Network, loss, pixels", tuple(grid.columns), lines, tuple(dict.fromkeys(notes)))


def _set(spec: TrialSpec) -> str:
    """The set of the paper that a trial is on, if it is stored at the size to which the recipe scales pictures; else empty."""
    stored = {f"{name}_{spec.recipe.evaluated_at}px": name for name in _SETS}
    return stored.get(spec.data.dataset, "")


def _placed(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``frame`` that this table shows, with their set and their `Kind`.

    Raises:
        UserError: there are none.
    """
    specs = specs_of(frame)
    places = [shows(spec) for spec in specs]
    if not any(places):
        raise UserError(f"table cb3 shows {SHOWN}, but the run has none: choose another table, see `list tables`")
    found = [spec for spec, placed in zip(specs, places, strict=True) if placed]
    kinds = [Kind(spec.method.label, spec.recipe.crop, spec.recipe.model) for spec in found]
    return frame[places].assign(set=list(map(_set, found)), kind=kinds)


def _of_one_budget(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with the most frequent recipe and number of epochs, whatever their network and size; and notes on the others."""
    if frame.empty:
        return frame, []
    kept, left_out = of_largest(frame.assign(recipe=frame["recipe"].map(_without_crop)), ["recipe", "epochs"])
    return frame.loc[kept.index], list(map(str, left_out))


def _without_crop(recipe: str) -> str:
    name, changed = parse_label(recipe)
    return format_label(name, {key: value for key, value in changed.items() if key != "crop"})


def _budget(frame: pd.DataFrame) -> str:
    names = dict.fromkeys(map(method_of, frame["recipe"]))
    return f"recipe {', '.join(names)}, {' and '.join(map(str, frame['epochs'].unique()))} epochs"


@cache
def _printed() -> dict[tuple[Kind, str, str], float]:
    """(row, set, metric) → the paper's figure in %."""
    rows = published()
    rows = rows[(rows["paper"] == "Cui2019") & (rows["table"] == "3")]
    sets = {theirs: name for name, (_, theirs) in _SETS.items()}
    losses = {theirs: label for label, (_, theirs) in _LOSSES.items()}
    return {
        (Kind(losses[row.method], int(row.input_size), row.model), sets[row.dataset], _PRINTED[row.metric]): float(row.value)
        for row in rows.itertuples()
    }
