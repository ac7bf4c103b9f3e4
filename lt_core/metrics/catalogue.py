"""The metrics of the benchmark, in the order in which they are listed."""

from __future__ import annotations

from typing import Any

import numpy as np

from lt_core.metrics.base import Compute
from lt_core.metrics.counts import TOP, expected_calibration_error, mean
from lt_core.metrics.outcome import Outcome
from lt_core.metrics.priors import TEST_PRIORS
from lt_core.metrics.registered import METRICS, metric

MANY, FEW = 100, 20  # many: > 100 training images, few: < 20, medium: between (Liu et al. 2019)


def share_right(outcome: Outcome) -> float:
    """Share of all images that are predicted correctly."""
    return float(outcome.right.sum() / outcome.images.sum())


metric("error", "error rate", column="accuracy", complement=True, lower_is_better=True)(share_right)
metric("accuracy", "accuracy")(share_right)

_OF_FIVE: dict[str, Any] = {"column": "top5_accuracy", "about": f"data with more than {TOP} classes", "on_request": True}


@metric("top5_accuracy", "top-5 accuracy", short="top-5 acc.", **_OF_FIVE)
def share_among_five(outcome: Outcome) -> float:
    """Share of images whose label is among the five most probable classes (ties: the lower class number first); NaN for records
    without this count.
    """
    found = outcome.top_five
    return float("nan") if found is None else float(found.sum() / outcome.images.sum())


metric("top5_error", "top-5 error rate", short="top-5 error", complement=True, lower_is_better=True, **_OF_FIVE)(share_among_five)


@metric("acsa", "balanced accuracy (ACSA)", short="ACSA", column="balanced_accuracy")
def balanced_accuracy(outcome: Outcome) -> float:
    """Mean recall of the classes, which is the average class-specific accuracy."""
    return mean(outcome.recall)


@metric("many", "accuracy on many-shot classes", column="many_accuracy", about=f"classes with more than {MANY} training images")
def many_accuracy(outcome: Outcome) -> float:
    return mean(outcome.recall[outcome.train_counts > MANY])


@metric(
    "medium", "accuracy on medium-shot classes", column="medium_accuracy", about=f"classes with {FEW} to {MANY} training images"
)
def medium_accuracy(outcome: Outcome) -> float:
    return mean(outcome.recall[(outcome.train_counts >= FEW) & (outcome.train_counts <= MANY)])


@metric("few", "accuracy on few-shot classes", column="few_accuracy", about=f"classes with fewer than {FEW} training images")
def few_accuracy(outcome: Outcome) -> float:
    return mean(outcome.recall[outcome.train_counts < FEW])


@metric("macro_f1", "macro-F1", short="macro-F1")
def macro_f1(outcome: Outcome) -> float:
    """Mean F1 of the classes."""
    return float(outcome.f1[~np.isnan(outcome.f1)].mean())


@metric("minority_f1", "F1 of the smallest class", short="F1 (min.)", about="the smallest class")
def minority_f1(outcome: Outcome) -> float:
    """F1 of the class with the fewest training images (the mean if there are several); NaN if all classes have the same size."""
    counts = outcome.train_counts
    return mean(outcome.f1[(counts == counts.min()) & (counts < counts.max())])


@metric("g_mean", "G-mean", short="G-mean")
def g_mean(outcome: Outcome) -> float:
    """Geometric mean of the recalls."""
    found, _ = outcome.tested
    return float(np.prod(found ** (1 / len(found))))


@metric("h_mean", "harmonic mean of the recalls", short="H-mean", on_request=True)
def h_mean(outcome: Outcome) -> float:
    """Harmonic mean of the recalls; 0 if some class is never predicted correctly."""
    found, _ = outcome.tested
    return float(len(found) / (1 / found).sum()) if found.all() else 0.0


@metric("worst_class", "recall of the worst class", short="worst class", on_request=True)
def worst_class(outcome: Outcome) -> float:
    return float(outcome.tested[0].min())


@metric("ece", "expected calibration error", short="ECE", lower_is_better=True, needs_calibration=True)
def ece(outcome: Outcome) -> float:
    return expected_calibration_error(outcome.calibration)


@metric(
    "class_ece", "class-wise calibration error", short="class ECE", lower_is_better=True, needs_calibration=True, on_request=True
)
def class_ece(outcome: Outcome) -> float:
    """Mean over the classes of the calibration error of each class's probability (class-wise ECE, Kull et al. 2019, NeurIPS;
    static calibration error, Nixon et al. 2019). A class has about 1 / C of the images, so figures of sets with different
    numbers of classes are not comparable.
    """
    kept = outcome.class_calibration
    return float("nan") if kept is None else float(np.mean([expected_calibration_error(bins) for bins in kept]))


def under_prior(name: str) -> Compute:
    """Accuracy under the test prior of that name; NaN if all classes have the same size in training, so that there is no head."""

    def accuracy(outcome: Outcome) -> float:
        return outcome.by_prior[name]

    return accuracy


for _name, _factor in TEST_PRIORS.items():
    _often, _seldom, _times = ("head", "tail", _factor) if _factor > 1 else ("tail", "head", 1 / _factor)
    metric(
        _name, f"accuracy on a test set with the {_often} {_times:g} times as frequent as the {_seldom}",
        short=_name.replace("_", " "), about="classes of several sizes", on_request=True,
    )(under_prior(_name))  # fmt: skip


@metric("images_per_second", "training images per second", short="images/s", unit="", measured=True)
def images_per_second(outcome: Outcome) -> float:
    return outcome.images_per_second


@metric("seconds", "training seconds", column="train_seconds", unit="", lower_is_better=True, measured=True)
def train_seconds(outcome: Outcome) -> float:
    return outcome.seconds.get("train", float("nan"))


_ON_CURVES = (METRICS["accuracy"], METRICS["acsa"])
#: Columns of the metrics that are also measured during training, on the test set and on the validation split.
ON_CURVES = tuple(made.column for made in _ON_CURVES)


def on_curves(outcome: Outcome) -> dict[str, float]:
    """Column → figure, for the metrics of `ON_CURVES` only."""
    return {made.column: made.recorded(outcome) for made in _ON_CURVES}
