"""Scores of the heat maps of a run's trials: one row per trial, over the same test pictures of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.explaining.kept import network
from bench.records.store import Store
from lt_core import asked
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.explain import Explanation
from lt_core.result import TrialResult
from lt_core.training.runtime import Runtime


def scores(
    store: Store, results: Sequence[TrialResult], explanation: Explanation, pictures: int, runtime: Runtime
) -> pd.DataFrame:
    """One row per trial, indexed by its ID: the means of `lt_core.asked.scores`, and the share of heat on the object over the
    smaller half of the classes (``tail_inside``).

    Args:
        results: trials that share their test set.
        pictures: test pictures, as many of each class.

    Raises:
        UserError: as `bench.explaining.pictures.sheet`.
    """
    data = results[0].spec.data.dataset
    images, mask_of = load_set(data, runtime.data_dir), DATASETS[data].mask
    positions = of_every_class(images.test_labels, pictures)
    pixels, labels = images.test_pixels(positions), np.asarray(images.test_labels[positions])
    masks = None if mask_of is None else np.asarray(mask_of(pixels))
    if masks is not None and (masks.shape != pixels.shape[:3] or masks.dtype != bool):
        raise UserError(
            f"dataset {data}: mask gives {masks.dtype} of shape {list(masks.shape)} for {len(pixels)} pictures: let it give true "
            f"or false for each of their pixels, {list(pixels.shape[:3])}"
        )
    rows = {}
    for result in results:
        trained = asked.sees_pictures(network(store, result)).to(runtime.torch_device())
        found = asked.scores(trained, explanation, pixels, labels, masks)
        if "inside" in found:
            found["tail_inside"] = found["inside"][np.isin(labels, smaller_half(result.train_counts))]
        rows[result.trial_id] = {name: float(values.mean()) for name, values in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def of_every_class(labels: np.ndarray, wanted: int) -> np.ndarray:
    """Positions of about ``wanted`` images, the first of each class in the set's order, of each as many; at least one.

    >>> of_every_class(np.array([0, 0, 0, 1, 1, 1]), 4).tolist()
    [0, 1, 3, 4]
    """
    classes = np.unique(labels)
    each = max(1, wanted // len(classes))
    return np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes])


def smaller_half(train_counts: Sequence[int]) -> np.ndarray:
    """The smaller half of the classes by training images; with an odd number, without the middle one."""
    order = np.argsort(-np.asarray(train_counts), kind="stable")
    return order[-(-len(order) // 2) :]
