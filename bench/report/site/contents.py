"""The contents of the site's pages: data sets with the best method of each data column, and methods. `write` makes the pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.records import HEADLINE
from bench.report.export import SUBMITTED
from lt_core.labels import without_version
from lt_core.metrics import METRICS

_SHOWN = METRICS[HEADLINE]


@dataclass(frozen=True)
class Summary:
    """A data column on the first page: its best row, and how many others are not significantly different from it."""

    column: str
    settings: int  # of methods
    trials: int
    best: str
    figure: str  # of the best, mean ± standard deviation
    tied: int | None  # settings that are not significantly different from the best; None if no test is possible
    baseline: str  # figure of cross-entropy, if it was run


@dataclass(frozen=True)
class MethodPage:
    """What is shown about a method besides its rows."""

    name: str
    family: str
    about: str
    cite: str
    parts: tuple[tuple[str, str], ...]  # group, choice
    parameters: tuple[tuple[str, str, str, str], ...]  # name, meaning, default, domain
    fidelity: tuple[str, ...] = ()  # lines of docs/fidelity.md


def summaries(board: pd.DataFrame) -> list[Summary]:
    """One line per data column, in the order of the board."""
    out = []
    for column, rows in board.groupby("column", sort=False):
        done = rows[rows[HEADLINE].notna()].sort_values("rank", kind="stable")
        if done.empty:
            continue
        best, baseline = done.iloc[0], done[done["label"] == "softmax"]
        others = done.iloc[1:]
        testable = others[(others["n"] > 1) & ~others["untested"]] if best["n"] > 1 else others[:0]
        out.append(
            Summary(
                str(column), len(done), int(done["n"].sum()), str(best["label"]), _figure(best),
                int(done["tied"].sum()) if len(testable) else None,
                _figure(baseline.iloc[0]) if len(baseline) else "",
            )
        )  # fmt: skip
    return out


def _figure(row: pd.Series) -> str:
    spread = row[f"{HEADLINE}_std"]
    return f"{row[HEADLINE]:.2f}" + ("" if pd.isna(spread) else f" ± {spread:.2f}")


def rows_of_methods(board: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Method → its rows, by name."""
    names = board["method"].map(without_version)
    return {str(name): rows for name, rows in sorted(board.groupby(names), key=lambda item: item[0])}


def method_pages(names: Sequence[str], fidelity: Path) -> list[MethodPage]:
    """What the registry and the page ``fidelity`` say about the methods ``names``. Methods from plug-in files that are not loaded
    only have a name.
    """
    from lt_core.identity import NEUTRAL
    from lt_core.methods import METHODS

    told = fidelity_of(fidelity.read_text(encoding="utf-8")) if fidelity.is_file() else {}
    pages = []
    for name in names:
        if name not in METHODS:
            pages.append(MethodPage(name, "", "from a plug-in file or a package that is not loaded here", "", (), ()))
            continue
        method = METHODS[name]
        spec = method.resolve()
        parts = tuple((group, choice) for group, choice in method.choices().items() if choice != NEUTRAL[group])
        parameters = tuple((key, d.help, f"{spec.params[key]}", str(d)) for key, d in method.domains().items())
        pages.append(MethodPage(name, method.family, method.about, method.cite, parts, parameters, told.get(name, ())))
    return pages


def fidelity_of(page: str) -> dict[str, tuple[str, ...]]:
    """Method → the items of its section in docs/fidelity.md.

    >>> fidelity_of("### `focal`\\n\\nFocal loss.\\n\\n- Source: x @ 1\\n- Compared: value.\\n\\n### `other`\\n")
    {'focal': ('Source: x @ 1', 'Compared: value.'), 'other': ()}
    """
    sections = re.split(r"^### `([^`]+)`$", page, flags=re.M)[1:]
    return {name: tuple(re.findall(r"^- (.*)$", text, re.M)) for name, text in zip(sections[::2], sections[1::2], strict=True)}


def by_dataset(board: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Data set → its rows of the board."""
    return {str(name): rows for name, rows in board.groupby(board["dataset"].map(without_version), sort=False)}


def standing(run: Collection[str], submitted: Collection[str]) -> str:
    """Whether the trials of a row are ``submitted``, if any of the folders in ``run`` is, or ``official``."""
    return SUBMITTED if set(run) & set(submitted) else "official"
