"""What must hold for every registered metric. No metric is named here: a new one is tested by being registered."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lt_core.metrics import METRICS, Metric, Outcome, calibration_bins

every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
of_predictions = pytest.mark.parametrize(
    "metric", [metric for metric in METRICS.values() if not metric.measured], ids=lambda metric: metric.name
)
NOISE = 1e-12  # sums in another order
#: Class sizes: of all three groups, of one group alone, with two smallest classes, and all alike.
COUNTS = ([500, 101, 100, 20, 19, 3], [300, 200], [90, 40, 21], [15, 2], [120, 7, 7], [30, 30, 30])


def outcomes(seed: int = 0, each: int = 20) -> list[Outcome]:
    """Predictions of all kinds, from chance to nearly perfect ones; every class has images."""
    rng, made = np.random.default_rng(seed), []
    for counts in COUNTS:
        for quality in np.linspace(0, 0.95, each):
            classes = len(counts)
            true = np.repeat(np.arange(classes), rng.integers(1, 30, classes))
            predicted = np.where(rng.random(len(true)) < quality, true, rng.integers(0, classes, len(true)))
            confusion = np.zeros((classes, classes))
            np.add.at(confusion, (true, predicted), 1)
            bins = calibration_bins(rng.random(len(true)), (predicted == true).astype(float))
            made.append(Outcome.of(confusion, counts, bins, seconds={"train": 12.5}, images_per_second=300.0))
    return made


def perfect(outcome: Outcome) -> Outcome:
    """Every image of ``outcome`` told right, and that without a doubt."""
    sizes = outcome.confusion.sum(axis=1)
    sure = np.ones(int(sizes.sum()))
    return replace(outcome, confusion=np.diag(sizes), calibration=calibration_bins(sure, sure))


def mended(outcome: Outcome) -> Outcome:
    """One wrong prediction of ``outcome`` made right, and confidences half as far from the truth."""
    confusion, (images, confidence, correct) = outcome.confusion.copy(), outcome.calibration
    true, predicted = np.argwhere(confusion * (1 - np.eye(len(confusion))))[0]
    confusion[true, [predicted, true]] += [-1, 1]
    return replace(outcome, confusion=confusion, calibration=np.stack([images, (confidence + correct) / 2, correct]))


def permuted(outcome: Outcome) -> Outcome:
    """Classes by other numbers."""
    order = np.roll(np.arange(len(outcome.train_counts)), 1)
    return replace(outcome, confusion=outcome.confusion[order][:, order], train_counts=outcome.train_counts[order])


# Each raises AssertionError for a metric that breaks it.


def is_a_share(metric: Metric) -> None:
    """Its values lie in 0…1."""
    for outcome in outcomes():
        value = metric(outcome)
        assert math.isnan(value) or 0 <= value <= 1, f"{metric.name} is {value:g}, and a share lies in 0…1"


def is_best_for_perfect_predictions(metric: Metric) -> None:
    """Perfect predictions have the best share, and no others are better."""
    for outcome in outcomes():
        best = metric(perfect(outcome))
        if metric.needs_calibration or metric.applies(outcome.train_counts):
            end = 0.0 if metric.lower_is_better else 1.0
            assert abs(best - end) <= NOISE, f"{metric.name} of perfect predictions is {best:g}, not {end:g}"
        assert not metric.better(metric(outcome), best), f"others have a better {metric.name} than perfect predictions"


def is_never_worse_for_a_mended_prediction(metric: Metric) -> None:
    """To mend a wrong prediction never makes it worse, by the direction that it declares, and sometimes makes it better."""
    better = 0
    for outcome in outcomes():
        if np.trace(outcome.confusion) == outcome.confusion.sum():
            continue
        before, after = metric(outcome), metric(mended(outcome))
        same = abs(after - before) <= NOISE or math.isnan(before)
        assert same or metric.better(after, before), f"{metric.name} goes from {before:g} to {after:g} as a prediction is mended"
        better += metric.better(after, before)
    assert better, "a metric that nothing changes measures nothing"


def is_the_same_whatever_classes_are_called(metric: Metric) -> None:
    """Classes by other numbers leave it as it is."""
    for outcome in outcomes():
        one, other = metric(outcome), metric(permuted(outcome))
        same = abs(one - other) <= NOISE or (math.isnan(one) and math.isnan(other))
        assert same, f"{metric.name} moves from {one:g} to {other:g} as classes change places"


def exists_where_it_says(metric: Metric) -> None:
    """Class sizes decide whether there is a value, not predictions; where there may be none it says what it is about."""
    for outcome in outcomes():
        there = not math.isnan(metric(outcome))
        if not metric.needs_calibration:
            assert there == metric.applies(outcome.train_counts)
        assert there or metric.about, "a metric that is not there for all data says what it is about"
    without = [metric(replace(outcome, calibration=None)) for outcome in outcomes()]
    if metric.needs_calibration:
        assert all(map(math.isnan, without))
    else:
        np.testing.assert_array_equal(without, [metric(outcome) for outcome in outcomes()])


@every_metric
def test_a_declaration_is_whole(metric):
    assert METRICS[metric.name] is metric
    assert metric.quantity and metric.short and metric.column
    assert "%" not in metric.quantity and len(metric.short) <= 12
    assert metric.title == (f"{metric.quantity} in {metric.unit}" if metric.unit else metric.quantity)
    assert metric.heading[0].isupper() and metric.heading[1:] == metric.title[1:]


@of_predictions
@pytest.mark.parametrize(
    "holds",
    [
        is_a_share, is_best_for_perfect_predictions, is_never_worse_for_a_mended_prediction,
        is_the_same_whatever_classes_are_called, exists_where_it_says,
    ],
    ids=lambda check: check.__name__,
)  # fmt: skip
def test_of_predictions(metric, holds):
    assert metric.unit == "%", "predictions are counted, and their metrics are shares"
    holds(metric)


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if m.measured], ids=lambda metric: metric.name)
def test_what_a_clock_measures_depends_on_no_prediction(metric):
    assert len({metric(outcome) for outcome in outcomes()}) == 1
    assert metric(outcomes()[0]) > 0
    assert math.isnan(metric(Outcome.of([[1, 0], [0, 1]], [2, 1])))
    assert all(metric.applies(counts) for counts in COUNTS)


def _broken(compute, **declared) -> Metric:
    return Metric("broken", "nothing", compute, "broken", "broken", **declared)


@pytest.mark.parametrize(
    ("breaks", "metric"),
    [
        (is_a_share, _broken(lambda o: 100 * np.trace(o.confusion) / o.confusion.sum())),
        (is_best_for_perfect_predictions, _broken(lambda o: o.recall.min() / 2)),
        (is_best_for_perfect_predictions, _broken(lambda o: o.recall.mean(), lower_is_better=True)),
        (is_never_worse_for_a_mended_prediction, _broken(lambda o: o.recall.mean(), lower_is_better=True)),
        (is_never_worse_for_a_mended_prediction, _broken(lambda o: 1.0)),
        (is_never_worse_for_a_mended_prediction, _broken(lambda o: o.recall.max() - o.recall.min())),
        (is_the_same_whatever_classes_are_called, _broken(lambda o: o.recall[0])),
        (exists_where_it_says, _broken(lambda o: o.recall[o.train_counts > 100].mean() if o.train_counts[0] > 100 else math.nan)),
        (exists_where_it_says, _broken(lambda o: o.calibration[0].sum(), about="nothing")),
    ],
)
@pytest.mark.filterwarnings("ignore:metric broken is left empty")
def test_a_wrong_metric_is_found(breaks, metric):
    with pytest.raises(AssertionError):
        breaks(metric)
