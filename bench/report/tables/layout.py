"""The layout of tables in the papers: the order of columns, and the names of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.records.columns import HEADINGS
from lt_core.labels import parse_label


def columns_of(frame: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """(dataset, imbalance type, factor) → rows; datasets in order, factors from the largest down, as the papers print them."""
    cells = list(frame.groupby(HEADINGS, sort=False, dropna=False))
    places = {key: i for i, key in enumerate(dict.fromkeys((k[0], k[1]) for k, _ in cells))}
    return sorted(cells, key=lambda item: (places[item[0][0], item[0][1]], -item[0][2]))


def names_without_common(
    labels: Sequence[str], rows: Mapping[str, str], everywhere: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Label → name of its row, and the parameters that all labels with parameters share, which are not repeated in the names.

    Args:
        rows: method → what a table calls it; another goes by its own name.
        everywhere: labels without parameters have the parameters too, at their defaults, and share none then.
    """
    parsed = {label: parse_label(label) for label in labels}
    given = {label: [f"{key}={value}" for key, value in values.items()] for label, (_, values) in parsed.items()}
    some = [set(params) for params in given.values() if params or everywhere]
    common = set.intersection(*some) if some else set()
    names = {}
    for label, params in given.items():
        method, own = parsed[label][0], ",".join(p for p in params if p not in common)
        names[label] = rows.get(method, method) + (f" [{own}]" if own else "")
    return names, sorted(common)


def labels_in_order(frame: pd.DataFrame, first: Sequence[str]) -> list[str]:
    """Labels present, those in ``first`` first and in that order."""
    present = list(dict.fromkeys(frame["label"]))
    return [x for x in first if x in present] + sorted(x for x in present if x not in first)
