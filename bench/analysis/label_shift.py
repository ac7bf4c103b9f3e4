"""Accuracy on test sets with other class frequencies, for trials that kept their predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.records.predictions import of_rows
from bench.records.store import Store
from lt_core.label_shift import accuracies
from lt_core.metrics import TEST_PRIORS, long_tailed_prior

#: Test prior → its factor (head over tail), from the most forward to the most backward.
PRIORS = dict(sorted({**TEST_PRIORS, "uniform": 1.0}.items(), key=lambda item: -item[1]))


def under_priors(store: Store, rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in % under each of `PRIORS`, one column each. Every trial of ``rows`` (rows of the results frame) that kept its
    predictions has one row per way of adapting to the prior (``way``, see `lt_core.label_shift.accuracies`), under the index of
    the trial's row.

    Raises:
        UserError: predictions are missing or damaged, or belong to another trial.
    """
    classes = dict(list(store.per_class().groupby("trial_id")))
    made = [
        {"index": index, "way": way, **dict(zip(PRIORS, 100 * values, strict=True))}
        for index, (row, kept) in zip(rows.index, of_rows(store, rows), strict=True)
        if kept
        for way, values in accuracies(kept.test, kept.validation, _priors(classes[row.trial_id])).items()
    ]
    return pd.DataFrame(made, columns=["index", "way", *PRIORS]).set_index("index")


def _priors(classes: pd.DataFrame) -> np.ndarray:
    """[T, C]: the class frequencies of `PRIORS` for a trial with these rows of the frame of classes."""
    classes = classes.sort_values("class")
    tested = classes["recall"].notna().to_numpy()
    made = np.zeros((len(PRIORS), len(classes)))
    for place, factor in enumerate(PRIORS.values()):
        made[place, tested] = long_tailed_prior(classes.loc[tested, "train_count"].tolist(), factor)
    return made
