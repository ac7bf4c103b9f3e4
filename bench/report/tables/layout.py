"""The layout that tables share with the papers: their columns and the order of these, and the names of rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis.published import drawn_as_published
from bench.records.columns import HEADINGS
from bench.report.tables.table import Cell, Column, Row
from lt_core.labels import parse_label


class Grid:
    """The columns of a table while it is made: their headings, and in each column the cells of those lines that have one."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.cells: list[Mapping[Any, Cell]] = []

    def add(self, group: str, name: str, cells: Mapping[Any, Cell], **of_column: Any) -> None:
        """Add a column; ``of_column``: other fields of `Column`."""
        self.columns.append(Column(group, name, **of_column))
        self.cells.append(cells)

    def add_paper(self, group: str, cells: Mapping[Any, Cell], rows: pd.DataFrame) -> None:
        """Add a paper's figures beside ours, if it has any and ``rows``, from which ours are made, are on data that are sampled
        as in the papers.
        """
        if cells and drawn_as_published(rows.iloc[0]):
            self.add(group, "paper", cells, published=True)

    def row(self, name: str, line: Hashable, detail: bool = False) -> Row:
        """A row of the table, made of the cells of one line."""
        return Row(name, tuple(cells.get(line, Cell()) for cells in self.cells), detail)


def columns_of(frame: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """((dataset, imbalance type, factor), rows) for each column: datasets as they come, and factors from the largest down, as in
    the papers.
    """
    cells = list(frame.groupby(HEADINGS, sort=False, dropna=False))
    places = {key: i for i, key in enumerate(dict.fromkeys((k[0], k[1]) for k, _ in cells))}
    return sorted(cells, key=lambda item: (places[item[0][0], item[0][1]], -item[0][2]))


def names_without_common(
    labels: Sequence[str], rows: Mapping[str, str], everywhere: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Label → name of its row; and the parameters that all labels with parameters share, which the names do not repeat.

    Args:
        rows: method → its name in the table; other methods keep their own name.
        everywhere: a label without parameters has the defaults of the same parameters, so that no parameters are shared then.
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
    """The labels of ``frame``: those in ``first`` come first, in that order, and the others are sorted."""
    present = list(dict.fromkeys(frame["label"]))
    return [x for x in first if x in present] + sorted(x for x in present if x not in first)
