"""Heat maps of a run as figures in files, and their scores as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from bench.explaining.figure import draw
from bench.explaining.kept import by_data, kept_trials, of_one_budget
from bench.explaining.pictures import sheet
from bench.explaining.scores import scores
from bench.explaining.tables import Figure, by_method
from bench.explaining.thumbnails import look
from bench.records.columns import describe
from bench.records.store import Store
from bench.report.charts.paper import save
from bench.report.page.looks import keep
from bench.report.tables.table import Table
from lt_core.explain import Explanation
from lt_core.labels import counted, format_label
from lt_core.result import TrialResult
from lt_core.training.runtime import Runtime

_METHODS = 8  # beside each other
_COARSE = 16  # a map of fewer places is too coarse to show a shape
_FIGURES = {
    "accuracy": Figure("accuracy %", 100, lower_is_better=False),
    "inside": Figure("heat on the object %", 100, lower_is_better=False),
    "tail_inside": Figure("heat, smaller classes %", 100, lower_is_better=False),
    "pointing": Figure("hottest place on it %", 100, lower_is_better=False),
    "deletion": Figure("deletion %", 100, lower_is_better=True),
    "insertion": Figure("insertion %", 100, lower_is_better=False),
}


def write_figures(
    store: Store, only: str, explanation: Explanation, images: int, of: str, runtime: Runtime, out: Path | None
) -> Iterator[Path]:
    """Draw a figure for each data column of the run, of the first subset and seed of each label; the files.

    Args:
        images: test pictures.
        of: one of `bench.explaining.pictures.OF`.
        out: a file; of several data columns each has its words in the name. None: in the run's folder, where
            `report` finds them too.

    Raises:
        UserError: what cannot be drawn or written.
    """
    results, _ = of_one_budget(store, kept_trials(store, only))
    groups = by_data(results)
    file = out or store.path / "plots" / f"explain-{explanation.name}.svg"
    for data, mine in groups.items():
        first: dict[str, TrialResult] = {}
        for result in mine:
            first.setdefault(result.spec.method.label, result)
        shown = list(first.values())[:_METHODS]
        words = describe(data, groups)
        title = f"Where methods look: {words}, seed {shown[0].spec.seed}"
        found = sheet(store, shown, explanation, images, of, runtime)
        drawn = found, title, [*_notes(explanation, of, shown, len(first)), *_coarse(found.places)]
        named = file if len(groups) == 1 else file.with_stem(f"{file.stem}-{re.sub('[^a-z0-9]+', '-', words.lower())}")
        save(draw(*drawn), named)
        if out is None:
            keep(look(*drawn), named)  # for the page of the run
        yield named


def score_tables(store: Store, only: str, explanation: Explanation, images: int, runtime: Runtime) -> Iterator[Table]:
    """A table of scores for each data column of the run, over all of its trials with weights.

    Args:
        images: test pictures, as many of each class.

    Raises:
        UserError: what cannot be explained or is not there.
    """
    results, budget = of_one_budget(store, kept_trials(store, only))
    groups, trials = by_data(results), store.frame()
    for data, mine in groups.items():
        measured = scores(store, mine, explanation, images, runtime).join(trials.set_index("trial_id")["accuracy"])
        notes = [
            f"{_written(explanation)}, looking for the picture's class; {counted(len(mine), 'trial')}, the same pictures",
            "deletion, insertion: area under the class's probability as the hottest places are hidden first, or shown first; "
            "what is hidden has the mean colour of the training images (Petsiuk et al. 2018)",
        ]
        if "area" in measured:
            notes.append(
                f"by chance {100 * measured['area'].mean():.1f} % of the heat lies on the object, its share of the area; heat "
                "counts from the coldest place on"
            )
        yield by_method(
            "explain", f"What heat maps are worth: {describe(data, groups)}", measured, trials, _FIGURES, [*notes, *budget]
        )


def _written(explanation: Explanation) -> str:
    """With all of its parameters but what changes no map."""
    values = {f.name: getattr(explanation, f.name) for f in fields(explanation) if f.name != "batch"}
    return format_label(explanation.name, values)


def _coarse(places: tuple[int, int]) -> list[str]:
    """A note if maps have so few places that their shape says little."""
    rows, columns = places
    if rows * columns >= _COARSE:
        return []
    return [f"maps of only {rows} × {columns} places, enlarged; `--kind rise` needs no maps of the network, but takes longer"]


def _notes(explanation: Explanation, of: str, shown: list[TrialResult], labels: int) -> list[str]:
    """What must be known to read a figure."""
    about = {"true": "the picture's class", "predicted": "the class that the method predicts"}[of]
    notes = [
        f"{_written(explanation)}, looking for {about}; each map is scaled to its own hottest place",
        "rows: classes from the largest to the smallest, with their training images; of each class, in turn, the first test "
        f"pictures that {shown[0].spec.method.label} classifies correctly and does not",
        "below each map: what the method says, and how sure it is",
    ]
    return notes + (
        [f"drawn: the first {_METHODS} of {labels} methods; to draw others: add `--only NAMES` to the command"]
        if labels > _METHODS
        else []
    )
