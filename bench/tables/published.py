"""Figures that papers print, each checked against its table (results/published/published.csv)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published" / "published.csv"


@cache
def published() -> pd.DataFrame:
    """One row a figure: paper, table, dataset, imbalance_type, imbalance_factor, method, params (k=v;k=v), metric, value."""
    frame = pd.read_csv(PUBLISHED, dtype={"table": str, "params": str})
    return frame.assign(params=frame["params"].fillna(""))


def lookup(
    paper: str,
    table: str,
    dataset: str,
    imbalance_type: str,
    factor: float,
    method: str,
    params: str | None = "",
    label_fraction: float | None = None,
) -> tuple[float, str] | None:
    """The figure and its parameters; ``params=None`` matches any. None if the paper has no such cell."""
    f = published()
    at = f[
        (f["paper"] == paper)
        & (f["table"] == table)
        & (f["dataset"] == dataset)
        & (f["imbalance_type"] == imbalance_type)
        & (f["imbalance_factor"] == factor)
        & (f["method"] == method)
    ]
    at = at[at["label_fraction"].isna() if label_fraction is None else at["label_fraction"] == label_fraction]
    if params is not None:
        at = at[at["params"] == params]
    return (float(at.iloc[0]["value"]), str(at.iloc[0]["params"])) if len(at) else None
