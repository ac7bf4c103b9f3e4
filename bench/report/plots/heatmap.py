"""Class-balanced loss by β and γ: mean balanced accuracy, on the validation split where there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.records.nested import params_of
from bench.report.charts import Axis, Chart, Heat, Panel
from bench.report.plots.base import data_columns, finished, one_scale
from lt_core.errors import UserError

if TYPE_CHECKING:
    from bench.records.store import Store

_GRID = ("cb_beta", "gamma")


def draw(store: Store, only: str = "*") -> Chart:
    """One panel per data column: β down, the loss and its γ across.

    Raises:
        UserError: the run does not have two settings of a class-balanced loss.
    """
    frame, notes = finished(store, only)
    different = frame.drop_duplicates("params")
    params = dict(zip(different["params"], params_of(different), strict=True))
    told = {"_beta": _beta, "_loss": _loss, "_rest": _rest}
    frame = frame.assign(
        **{name: frame["params"].map({text: of(values) for text, values in params.items()}) for name, of in told.items()}
    )
    frame = frame[frame["_beta"].notna()]
    rests = frame["_rest"].value_counts(sort=False)
    if len(rests):  # a deferred class-balanced loss is another method, with a grid of its own
        frame = frame[frame["_rest"] == rests.idxmax()]
    if frame.groupby(["_beta", "_loss"]).ngroups < 2:
        raise UserError(f"{store.path} does not have two settings of a class-balanced loss, so there is no grid to draw")
    held = bool(frame["validation_balanced_accuracy"].notna().all())
    part = "validation split" if held else "test set"
    figure = "validation_balanced_accuracy" if held else "balanced_accuracy"
    panels = one_scale([_panel(column.name, column.rows, figure, part) for column in data_columns(frame)])
    words = [
        f"mean over trials, on the {part}"
        + ("" if held else ", because no validation split was held out; do not choose hyperparameters by it")
    ]
    if len(rests) > 1:
        words.append("only the largest of several grids, which differ in other parameters, is drawn")
    return Chart("heatmap", f"Class-balanced loss by β and γ, on the {part}", panels, (*words, *notes), smallest=16.0)


def _beta(params: Mapping[str, Any]) -> float | None:
    return params.get("cb_beta") if params.get("weights") == "effective_number" else None


def _loss(params: Mapping[str, Any]) -> str:
    return f"{params['loss']} γ={params['gamma']:g}" if "gamma" in params else str(params["loss"])


def _rest(params: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in params.items() if k not in ("loss", *_GRID)}, sort_keys=True)


def _panel(title: str, rows: pd.DataFrame, figure: str, part: str) -> Panel:
    means = (100 * rows.groupby(["_beta", "_loss"])[figure].mean()).unstack()
    counts = rows.groupby(["_beta", "_loss"]).size().unstack()
    n = {int(v) for v in counts.to_numpy().ravel() if v == v}
    values = tuple(tuple(None if pd.isna(v) else round(float(v), 3) for v in row) for row in means.to_numpy())
    words = tuple(tuple("" if v is None else f"{v:.1f}" for v in row) for row in values)
    heat = Heat(
        tuple(map(str, means.columns)), tuple(f"{beta:g}" for beta in means.index), values,
        f"balanced accuracy, {part} (%)", words,
    )  # fmt: skip
    said = f"n = {min(n)}" if len(n) == 1 else f"n = {min(n)}–{max(n)}"
    return Panel(f"{title} ({said})", Axis("loss"), Axis("β"), heat=heat)
