"""How the features of a run's trials are distributed: one row per trial, with figures that depend on no projection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from bench.explaining.kept import by_data, kept_trials, network, of_one_budget
from bench.explaining.scores import of_every_class, smaller_half
from bench.explaining.tables import Figure, by_method
from bench.records.columns import describe
from bench.records.store import Store
from bench.report.tables.table import Table
from lt_core import asked, geometry
from lt_core.data.draw import draw
from lt_core.data.sources import load_set, own_validation
from lt_core.labels import counted
from lt_core.result import TrialResult
from lt_core.training.runtime import Runtime

#: Images whose features are looked at: the distances between all of them are computed.
MOST = 10_000
_HALVES = ("larger", "smaller")
_CLUSTERS = {
    f"{name}_{half}": Figure(half, factor, lower_is_better=lower, group=title)
    for name, title, factor, lower in (
        ("spread", "spread ÷ distance to the next class", 1, True),
        ("silhouette", "silhouette", 1, False),
        ("nearest", "nearest centre %", 100, False),
    )
    for half in _HALVES
}
_COLLAPSE = {
    "nc1": Figure("NC1 spread", lower_is_better=True),
    "nc2_norms": Figure("NC2 lengths", lower_is_better=True),
    "nc2_angles": Figure("NC2 angles", lower_is_better=True),
    "nc3": Figure("NC3 classifier", lower_is_better=True),
    "nc4": Figure("NC4 %", 100, lower_is_better=True),
}


def geometry_tables(store: Store, only: str, runtime: Runtime) -> Iterator[Table]:
    """Two tables for each data column of the run, over its trials with weights: clusters by class size, and neural collapse.

    Raises:
        UserError: missing weights or images, features instead of pictures, or an ensemble.
    """
    results, budget = of_one_budget(store, kept_trials(store, only))
    groups, trials = by_data(results), store.frame()
    for data, mine in groups.items():
        measured = pd.DataFrame.from_dict({result.trial_id: _of_trial(store, result, runtime) for result in mine}, orient="index")
        words = f"{describe(data, groups)}; {counted(len(mine), 'trial')}"
        notes = ["features of test images; each class counts alike, whatever its number of images", *budget]
        halves = [
            "larger, smaller: the halves of the classes by training images",
            "spread: mean distance to the class's own centre, in units of that to the nearest other centre; silhouette: in −1…1 "
            "(Rousseeuw 1987); nearest centre: accuracy of the nearest centre of training images",
        ]
        yield by_method("clusters", f"How classes cluster: {words}", measured, trials, _CLUSTERS, [*halves, *notes])
        about = "neural collapse (Papyan, Han and Donoho 2020): each is 0 where features have collapsed"
        yield by_method("collapse", f"How far from neural collapse: {words}", measured, trials, _COLLAPSE, [about, *notes])


def _of_trial(store: Store, result: TrialResult, runtime: Runtime) -> dict[str, Any]:
    data = result.spec.data
    images = load_set(data.dataset, runtime.data_dir)
    trained = asked.sees_pictures(network(store, result)).to(runtime.torch_device())
    chosen = draw(data, images.train_labels, 0, own_validation(data, images)).train
    _, theirs = asked.features(trained, lambda part: images.train_pixels(chosen[part]), len(chosen))
    tested = of_every_class(images.test_labels, MOST)
    logits, features = asked.features(trained, lambda part: images.test_pixels(tested[part]), len(tested))
    weights = asked.slopes(trained, features.mean(axis=0))
    return measures(
        features,
        images.test_labels[tested],
        logits.argmax(axis=1),
        weights,
        theirs,
        images.train_labels[chosen],
        result.train_counts,
    )


def measures(
    features: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
    trained_features: np.ndarray,
    trained_labels: np.ndarray,
    train_counts: Sequence[int],
) -> dict[str, Any]:
    """The figures of one trial: of test features [N, d], with centres of the features of training images [M, d]."""
    classes = len(train_counts)
    features, labels = features.astype(float), np.asarray(labels)
    middles, learnt = geometry.centres(features, labels, classes), geometry.centres(trained_features, trained_labels, classes)
    right = geometry.nearest_centre(features, learnt) == labels
    by_name = {
        "spread": geometry.within(features, labels, middles) / geometry.between(middles),
        "silhouette": geometry.silhouettes(features, labels, classes),
        "nearest": geometry.by_class(right.astype(float), labels, classes),
    }
    smaller = np.isin(np.arange(classes), smaller_half(train_counts))
    halves = zip(_HALVES, (~smaller, smaller), strict=True)
    found = {f"{name}_{half}": float(values[which].mean()) for half, which in halves for name, values in by_name.items()}
    return found | asdict(geometry.collapse(features, labels, classes, weights, predicted, learnt))
