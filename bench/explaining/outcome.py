"""Figures of heat maps as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from bench.explaining.figure import draw
from bench.explaining.kept import by_data, kept_trials
from bench.explaining.pictures import sheet
from bench.records.columns import describe
from bench.records.store import Store
from bench.report.charts.paper import save
from lt_core.explain import Explanation
from lt_core.labels import format_label
from lt_core.result import TrialResult
from lt_core.training.runtime import Runtime

_METHODS = 8  # beside each other


def write_figures(
    store: Store, only: str, explanation: Explanation, images: int, of: str, runtime: Runtime, out: Path | None
) -> Iterator[Path]:
    """Draw a figure for each data column of the run, of the first draw and seed of each label; the files.

    Args:
        images: test pictures.
        of: one of `bench.explaining.pictures.OF`.
        out: a file; of several data columns each has its words in the name. None: in the run's folder.

    Raises:
        UserError: what cannot be drawn or written.
    """
    groups = by_data(kept_trials(store, only))
    file = out or store.path / "plots" / f"explain-{explanation.name}.svg"
    for data, results in groups.items():
        first: dict[str, TrialResult] = {}
        for result in results:
            first.setdefault(result.spec.method.label, result)
        shown = list(first.values())[:_METHODS]
        words = describe(data, groups)
        title = f"Where methods look: {words}, seed {shown[0].spec.seed}"
        made = draw(sheet(store, shown, explanation, images, of, runtime), title, _notes(explanation, of, shown, len(first)))
        named = file if len(groups) == 1 else file.with_stem(f"{file.stem}-{re.sub('[^a-z0-9]+', '-', words.lower())}")
        save(made, named)
        yield named


def _notes(explanation: Explanation, of: str, shown: list[TrialResult], labels: int) -> list[str]:
    """What must be known to read a figure."""
    values = {f.name: getattr(explanation, f.name) for f in fields(explanation) if f.name != "batch"}
    about = {"true": "the picture's class", "predicted": "the class that the method predicts"}[of]
    notes = [
        f"{format_label(explanation.name, values)}, looking for {about}; each map is scaled to its own hottest place",
        "rows: classes from the largest to the smallest with their training images; of each the first test pictures that "
        f"{shown[0].spec.method.label} tells right and wrong, in turn",
        "below each map: what the method says, and how sure it is",
    ]
    return notes + ([f"drawn: the first {_METHODS} of {labels} methods; choose others with --only"] if labels > _METHODS else [])
