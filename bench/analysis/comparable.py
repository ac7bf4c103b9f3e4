"""Which rows of a results frame are comparable, and notes that describe them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.records.columns import BUDGET, DATA, HEADINGS, MACHINE, differences, on_features, trained_further
from lt_core.data.sets import DATASETS
from lt_core.data.standard import Standard
from lt_core.errors import UserError, some
from lt_core.labels import counted, matches, unmatched
from lt_core.result import OK, PRUNED

#: The method that others are compared with: plain cross-entropy.
BASELINE = "softmax"


def chosen(frame: pd.DataFrame, only: str) -> pd.DataFrame:
    """The rows of ``frame`` whose method or label matches ``only``.

    Raises:
        UserError: no row does.
    """
    kept = frame[frame["label"].isin([label for label in frame["label"].unique() if matches(only, label)])]
    if kept.empty and len(frame):
        raise UserError(f"--only '{only}' matches no method of the run, which has {some(sorted(frame['label']))}")
    for item in unmatched(only, frame["label"]) if len(frame) else ():
        raise UserError(f"--only: '{item}' matches no method of the run, which has {some(sorted(frame['label']))}")
    return kept


def reported(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of ``frame`` (one row per trial) whose test figures may be shown, and a note on those left out.

    Trials of a hyperparameter search are left out: the validation split chooses among them, and a table of them would invite
    choosing by the test set. The winner of a search is run on new seeds.

    Raises:
        UserError: all trials belong to a search.
    """
    searched = frame["searched"].astype(bool)
    words = (
        f"{counted(searched.sum(), 'trial')} of a hyperparameter search left out: only settings that were run on new seeds are "
        "shown"
    )
    kept = frame[~searched & (frame["status"] != PRUNED)]  # a trial that its study stopped is neither a figure nor a failure
    if searched.any() and kept.empty:
        raise UserError(f"{words}, and the run has no trial of a winner yet")
    return kept, [words] if searched.any() else []


@dataclass(frozen=True)
class LeftOut:
    """Trials of a data set that are not shown because they are not comparable with those that are."""

    dataset: str
    count: int
    which: str  # such as "with a different budget"
    unlike: str  # such as "epochs 2 instead of epochs 40"

    def __str__(self) -> str:
        return f"{self.dataset}: {counted(self.count, 'trial')} {self.which} left out ({self.unlike})"


def one_budget(frame: pd.DataFrame, column: Sequence[str] = HEADINGS) -> tuple[pd.DataFrame, list[str]]:
    """The rows that may share a table, and notes on what they are and what was left out; see `comparable`.

    Raises:
        UserError: there are no rows.
    """
    kept, searched, left_out = comparable(frame, column)
    notes = list(searched)
    for dataset, rows in kept.groupby("dataset", sort=False):
        notes += [f"{dataset}: {budget_words(rows)}", f"{dataset}: {measured_on(rows)}"]
        notes += [f"{dataset}: {words}" for words in given_features(rows)]
        notes += [str(left) for left in left_out if left.dataset == dataset]
    return kept, notes


def comparable(frame: pd.DataFrame, column: Sequence[str]) -> tuple[pd.DataFrame, list[str], list[LeftOut]]:
    """The rows that are comparable, a note if some belong to a search (see `reported`), and what else was left out.

    Within a data set, figures from different recipes or numbers of epochs are not comparable; within a column, nor are figures on
    subsets that were drawn differently. In both cases the largest group is kept. ``column`` holds the keys that define a column.

    Raises:
        UserError: there are no rows.
    """
    frame, searched = reported(frame)
    if frame.empty:
        raise UserError("the run has no trials yet: start it with `bench.py run`")
    kept, left_out, drawing = [], list[LeftOut](), [key for key in DATA if key not in column]
    for _, rows in frame.groupby("dataset", sort=False):
        budget, others = of_largest(rows, BUDGET)
        drawn = [_largest(cells, drawing) for _, cells in budget.groupby(list(column), sort=False, dropna=False)]
        kept += [cells for cells, _ in drawn]
        left_out += others
        left_out += [_left_out(other, cells, "on other data", drawing) for cells, rest in drawn for other in rest]
    return pd.concat(kept), searched, left_out


def of_largest(frame: pd.DataFrame, budget: Sequence[str]) -> tuple[pd.DataFrame, list[LeftOut]]:
    """The largest group of rows with the same ``budget`` (names of columns), and what was left out."""
    kept, others = _largest(frame, list(budget))
    return kept, [_left_out(other, kept, "with a different budget", budget) for other in others]


def _left_out(rows: pd.DataFrame, shown: pd.DataFrame, which: str, keys: Sequence[str]) -> LeftOut:
    row, other = rows[list(keys)].iloc[0], shown[list(keys)].iloc[0]
    unlike = f"{', '.join(differences(row, [other]))} instead of {', '.join(differences(other, [row]))}"
    return LeftOut(str(rows["dataset"].iloc[0]), len(rows), which, unlike)


def _largest(frame: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """The largest group of ``frame`` by ``keys``, or among equally large ones the one trained longest; and the other groups."""
    groups = [rows for _, rows in frame.groupby(keys, sort=False, dropna=False)]
    groups.sort(key=lambda rows: (len(rows), rows["epochs"].iloc[0]), reverse=True)
    return groups[0], groups[1:]


def budget_words(frame: pd.DataFrame) -> str:
    """``recipe digits, model small_cnn, 40 epochs, figures of the last epoch``, and what was held out."""
    row = frame.iloc[0]
    held = sorted({int(v) for v in frame["validation"] if v})
    out = f", {' or '.join(map(str, held))} images per class held out for validation" if held else ""
    return f"recipe {row.recipe}, model {row.model}, {counted(row.epochs, 'epoch')}, figures of the last epoch{out}"


def given_features(frame: pd.DataFrame) -> list[str]:
    """Notes on rows whose network was pretrained on other pictures."""
    notes = []
    for dataset, model in frame[["dataset", "model"]].drop_duplicates().itertuples(index=False):
        before = "a network that was trained on other pictures"
        seen = f"the packaged one and torchvision's were trained on ImageNet{_seen(dataset)}"
        if on_features(model):
            notes.append(
                f"classifiers on features of {before} and is not trained further ({seen}), so these figures do not measure "
                "how well features are learnt"
            )
        elif trained_further(model):
            notes.append(f"a pretrained network is trained further, in whole or in part ({seen})")
    return list(dict.fromkeys(notes))


def _seen(dataset: str) -> str:
    """What a network trained on ImageNet has seen of a data set; empty where that is not known."""
    source = DATASETS[dataset].source if dataset in DATASETS else None
    if isinstance(source, Standard) and source.imagenet:
        return f", {source.imagenet}"
    return ", which contains the kinds of objects in CIFAR" if dataset.startswith("cifar") else ""


def machines(frame: pd.DataFrame) -> list[str]:
    """The kinds of device that finished trials ran on. The figures of a trial differ between kinds."""
    kinds = frame.loc[frame["status"] == OK, MACHINE].drop_duplicates().itertuples(index=False)
    return machine_words(kinds)


def machine_words(kinds: Iterable[tuple[str, float, str]]) -> list[str]:
    """Kinds of device (values of `MACHINE`), described and sorted; if there are none, that no trial has finished."""
    words = [
        f"{'an unknown device' if pd.isna(name) else name}, "
        f"{'an unknown number of threads' if pd.isna(threads) else counted(round(threads), 'thread')}, "
        f"{'an unknown precision' if pd.isna(precision) else precision}"
        for name, threads, precision in kinds
    ]
    return sorted(words) or ["no machine, because no trial has finished"]


def measured_on(frame: pd.DataFrame) -> str:
    """The kinds of device in words."""
    return f"measured on {' and on '.join(machines(frame))}"
