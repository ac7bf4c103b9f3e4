"""What must hold for every metric."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from lt_core.metrics import MARGINS, METRICS, TOP, Metric, Outcome, calibration_bins, class_calibration_bins, margins
from lt_core.predictions import Predictions
from lt_core.testing.check import check, expect

NOISE = 1e-12  # differences between sums in different orders
#: Class sizes: in all three groups, in only some of them, with two smallest classes, and all equal.
COUNTS = ([500, 101, 100, 20, 19, 3], [300, 200], [90, 40, 21], [15, 2], [120, 7, 7], [30, 30, 30])
_EACH = 20


@cache
def outcomes() -> list[Outcome]:
    """Predictions of all kinds, from chance level to nearly perfect; every class has images."""
    rng, made = np.random.default_rng(0), []
    for counts in COUNTS:
        for quality in np.linspace(0, 0.95, _EACH):
            classes = len(counts)
            true = np.repeat(np.arange(classes), rng.integers(1, 30, classes))
            predicted = np.where(rng.random(len(true)) < quality, true, rng.integers(0, classes, len(true)))
            confusion = np.zeros((classes, classes))
            np.add.at(confusion, (true, predicted), 1)
            bins = calibration_bins(rng.random(len(true)), (predicted == true).astype(float))
            by_class = class_calibration_bins(rng.dirichlet(np.ones(classes), len(true)), true)
            measured = {"seconds": {"train": 12.5}, "images_per_second": 300.0}
            kept = _kept(rng.dirichlet(np.ones(classes), len(true)), true, predicted)
            made.append(Outcome.of(confusion, counts, bins, by_class, counts=_counted(kept()), kept=kept, **measured))
    return made


def _counted(kept: Predictions) -> dict[str, np.ndarray]:
    """The counts by class of an outcome that has a confusion matrix, made from its predictions."""
    classes = kept.probabilities.shape[1]
    if classes <= TOP:
        return {}
    first = np.argsort(-kept.probabilities, axis=1, kind="stable")[:, :TOP]
    among = (first == kept.labels[:, None]).any(axis=1)
    return {"top_five": np.bincount(kept.labels[among], minlength=classes).astype(float)}


def _kept(probabilities: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> Callable[[], Predictions]:
    """Predictions in which each image's largest probability is that of the class ``predicted``."""
    rows, largest = np.arange(len(true)), probabilities.argmax(axis=1)
    probabilities[rows, largest], probabilities[rows, predicted] = probabilities[rows, predicted], probabilities[rows, largest]
    made = Predictions.of(probabilities, true)
    return lambda: made


def perfect(outcome: Outcome) -> Outcome:
    """``outcome`` with every image predicted correctly and with full confidence."""
    sizes = outcome.images
    true = np.repeat(np.arange(len(sizes)), sizes.astype(int))
    sure = np.ones(len(true))
    by_class = class_calibration_bins(np.eye(len(sizes))[true], true)
    kept, bins = _kept(np.eye(len(sizes))[true], true, true), calibration_bins(sure, sure)
    made = replace(outcome, confusion=np.diag(sizes), calibration=bins, class_calibration=by_class)
    return replace(made, counts=_counted(kept()), kept=kept)


def mended(outcome: Outcome) -> Outcome:
    """``outcome`` with one wrong prediction corrected, and with confidences half as far from the truth."""
    assert outcome.confusion is not None and outcome.calibration is not None and outcome.class_calibration is not None
    confusion = outcome.confusion.copy()
    true, predicted = np.argwhere(confusion * (1 - np.eye(len(confusion))))[0]
    confusion[true, [predicted, true]] += [-1, 1]
    nearer, by_class = outcome.calibration.copy(), outcome.class_calibration.copy()
    nearer[1] = (nearer[1] + nearer[2]) / 2
    by_class[:, 1] = (by_class[:, 1] + by_class[:, 2]) / 2
    old = outcome.predictions
    assert old is not None
    (place, *_) = np.flatnonzero((old.labels == true) & (old.predicted == predicted))
    probabilities = old.probabilities.copy()
    probabilities[place] = np.eye(len(confusion))[true]
    kept = _kept(probabilities, old.labels, probabilities.argmax(axis=1))
    made = replace(outcome, confusion=confusion, calibration=nearer, class_calibration=by_class)
    return replace(made, counts=_counted(kept()), kept=kept)


def permuted(outcome: Outcome) -> Outcome:
    """``outcome`` with renumbered classes."""
    order = np.roll(np.arange(len(outcome.train_counts)), 1)
    by_class = None if outcome.class_calibration is None else outcome.class_calibration[order]
    old = outcome.predictions
    assert outcome.confusion is not None and old is not None
    moved = Predictions(old.log_probabilities[:, order], np.argsort(order)[old.labels])
    return replace(
        outcome,
        confusion=outcome.confusion[order][:, order],
        train_counts=outcome.train_counts[order],
        class_calibration=by_class,
        counts={name: values[order] for name, values in outcome.counts.items()},
        kept=lambda: moved,
    )


def without_confusion(outcome: Outcome) -> Outcome:
    """``outcome`` as records with many classes keep it: counts by class instead of a confusion matrix."""
    counts = dict(zip(MARGINS, margins(outcome.confusion), strict=True))
    return replace(outcome, confusion=None, counts={**outcome.counts, **counts})


def figure(metric: Metric, outcome: Outcome) -> float:
    """The metric of ``outcome``. An error, which would not stop a run, is raised here."""
    return float(metric.of_column(metric.computed(outcome)))


def _of_predictions(metric: Metric) -> bool:
    return not metric.measured


def _share(metric: Metric) -> bool:
    return not metric.measured and metric.unit == "%"


@check("metric")
def it_is_named_and_titled(metric: Metric) -> None:
    """Its name is the one it is registered under; its title has no unit, and its short title fits a narrow column."""
    expect(METRICS[metric.name] is metric, f"it is registered under a name that is not its own, {metric.name}")
    expect(metric.quantity and metric.short and metric.column, "its quantity, short or column is empty")
    expect("%" not in metric.quantity, "its quantity contains its unit, which is given separately")
    expect(len(metric.short) <= 12, f"short has {len(metric.short)} letters, but a narrow column has room for 12")
    expect(metric.heading[0].isupper() and metric.heading[1:] == metric.title[1:], f"its heading is '{metric.heading}'")


@check("metric")
def it_fails_nowhere(metric: Metric) -> None:
    """It raises no error, whatever is predicted; if it has no value, it is NaN."""
    for outcome in outcomes():
        for seen in (outcome, perfect(outcome)):
            figure(metric, seen)


@check("metric", _share)
def it_is_a_share(metric: Metric) -> None:
    """Its values are between 0 and 1, as those of a metric in % must be."""
    for outcome in outcomes():
        value = figure(metric, outcome)
        expect(math.isnan(value) or 0 <= value <= 1, f"{metric.name} is {value:g}, but a share must be between 0 and 1")


@check("metric", _share)
def it_is_best_for_perfect_predictions(metric: Metric) -> None:
    """Perfect predictions have the best possible value, and no others are better."""
    for outcome in outcomes():
        best = figure(metric, perfect(outcome))
        if metric.needs_calibration or metric.needs_predictions or metric.applies(outcome.train_counts.tolist()):
            end = 0.0 if metric.lower_is_better else 1.0
            expect(abs(best - end) <= NOISE, f"{metric.name} of perfect predictions is {best:g}, not {end:g}")
        expect(
            not metric.better(figure(metric, outcome), best),
            f"imperfect predictions have a better {metric.name} than perfect ones",
        )


@check("metric", _of_predictions)
def it_is_never_worse_for_a_mended_prediction(metric: Metric) -> None:
    """Correcting a wrong prediction never makes it worse, in its declared direction, and sometimes makes it better."""
    better = 0
    for outcome in outcomes():
        if (outcome.right == outcome.images).all():
            continue
        before, after = figure(metric, outcome), figure(metric, mended(outcome))
        same = abs(after - before) <= NOISE or math.isnan(before)
        words = f"{metric.name} goes from {before:g} to {after:g} when a prediction is corrected"
        expect(same or metric.better(after, before), words)
        better += metric.better(after, before)
    expect(better, "it never changes, so it measures nothing")


@check("metric", _of_predictions)
def it_is_the_same_whatever_classes_are_called(metric: Metric) -> None:
    """Renumbering the classes does not change it."""
    for outcome in outcomes():
        one, other = figure(metric, outcome), figure(metric, permuted(outcome))
        same = abs(one - other) <= NOISE or (math.isnan(one) and math.isnan(other))
        expect(same, f"{metric.name} changes from {one:g} to {other:g} when the classes are renumbered")


@check("metric", _of_predictions)
def it_is_there_where_it_says(metric: Metric) -> None:
    """Whether it has a value depends on class sizes, not on predictions; if it may have none, it says what it is about."""
    for outcome in outcomes():
        there, sizes = not math.isnan(figure(metric, outcome)), outcome.train_counts.tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a failure without calibration is what this looks for
            lacking = {
                "calibration": (metric.needs_calibration, metric(replace(outcome, calibration=None))),
                "predictions": (metric.needs_predictions, metric(replace(outcome, kept=None))),
                "confusion": (metric.needs_confusion, metric(without_confusion(outcome))),
            }
        for what, (needed, without) in lacking.items():
            if needed:
                expect(math.isnan(without), f"it declares that it needs {what}, but has a value without it")
            else:
                same = without == figure(metric, outcome) or not there
                expect(same, f"it differs without {what}, but does not declare that it needs it: needs_{what}=True")
        if not (metric.needs_calibration or metric.needs_predictions):
            expect(there == metric.applies(sizes), f"with class sizes {sizes}, whether it has a value depends on the predictions")
        expect(there or metric.about, f"it has no value with class sizes {sizes}, but does not say what it is about")


@check("metric", lambda metric: metric.measured)
def it_is_what_a_clock_measured(metric: Metric) -> None:
    """A metric that is measured by a clock does not depend on predictions, and has no value if nothing was measured."""
    values = {figure(metric, outcome) for outcome in outcomes()}
    expect(len(values) == 1, "it depends on predictions")
    expect(values.pop() > 0, "its value is not positive, although something was measured")
    expect(math.isnan(figure(metric, Outcome.of([[1, 0], [0, 1]], [2, 1]))), "it has a value although nothing was measured")
