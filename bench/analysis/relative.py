"""Relative accuracy: accuracy after training on a long tail, relative to training on the same number of balanced images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analysis.comparable import BASELINE
from bench.records.columns import COLUMN

#: What a reference may differ in: how the images are spread over the classes, and how many are held out.
_SPREAD = (
    "imbalance_type", "imbalance_factor", "n_max", "counts", "class_order_seed", "unlabelled_imbalance_factor", "validation",
)  # fmt: skip
_SAME = [key for key in COLUMN if key not in _SPREAD]
_CLOSE = 0.01  # largest relative difference between the numbers of images


@dataclass(frozen=True)
class Reference:
    """Cross-entropy on balanced images; ``accuracy`` in %, the mean of ``n`` trials."""

    images: int
    accuracy: float
    n: int
    column: str

    @property
    def words(self) -> str:
        """``72.40 (n=3), softmax on cifar10 IF 1``."""
        return f"{self.accuracy:.2f} (n={self.n}), {BASELINE} on {self.column}"


def references(trials: pd.DataFrame) -> dict[str, Reference]:
    """Data column → what its accuracies are relative to (UA of Zhang et al. 2023, TPAMI, "Deep long-tailed learning: a survey").

    This is plain cross-entropy on a balanced subset of the same set, with the same recipe, model and epochs, and with the same
    number of training images to within one percent; if there are several, the nearest. Data columns without such a reference are
    missing.

    Args:
        trials: one row per trial, with its data column in ``_column``, whether it has finished in ``_done``, and ``accuracy``
            in %.
    """
    done = trials[trials["_done"]]
    found = {}
    for _, rows in done.groupby(_SAME, sort=False, dropna=False):
        plain = rows[(rows["label"] == BASELINE) & (rows["imbalance_factor"] == 1)]
        there = [
            Reference(int(balanced["train_images"].iloc[0]), float(balanced["accuracy"].mean()), len(balanced), str(name))
            for name, balanced in plain.groupby("_column", sort=False)
        ]
        for name, images in rows.groupby("_column", sort=False)["train_images"].first().items():
            near = [reference for reference in there if abs(reference.images - images) <= _CLOSE * images]
            if near:
                found[str(name)] = min(near, key=lambda reference: abs(reference.images - images))
    return found


def with_relative_accuracy(board: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """``board`` with relative_accuracy, the accuracy in % of the reference's, and a description of that ``reference``."""
    of = references(trials)
    accuracy = board["column"].map({name: reference.accuracy for name, reference in of.items()}).astype(float)
    return board.assign(
        relative_accuracy=100 * board["accuracy"] / accuracy.where(accuracy > 0, np.nan),
        reference=board["column"].map({name: reference.words for name, reference in of.items()}).fillna(""),
    )
