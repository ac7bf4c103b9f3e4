from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from lt_core.errors import UserError
from lt_core.metrics import (
    MATRIX_CLASSES,
    METRICS,
    TEST_PRIORS,
    Outcome,
    base,
    calibration_bins,
    class_calibration_bins,
    collapsed,
    expected_calibration_error,
    metric,
    metric_of,
    on_curves,
    precision,
    recall,
    recorded,
)
from lt_core.predictions import Predictions
from lt_core.testing import cases, run_checks


def metrics(*outcome):
    return recorded(Outcome.of(*outcome))


@given(st.integers(2, 6).flatmap(lambda c: st.tuples(st.just(c), st.lists(st.integers(0, c - 1), min_size=c, max_size=60))))
def test_figures_are_those_of_scikit_learn(drawn):
    """Every class has a test image, as in all our sets, but some may never be predicted."""
    classes, predicted = drawn
    true = np.arange(len(predicted)) % classes
    names = range(classes)
    matrix = confusion_matrix(true, predicted, labels=names)
    made = metrics(matrix, [50] * classes)
    assert made["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert METRICS["error"](Outcome.of(matrix, [50] * classes)) == pytest.approx(1 - accuracy_score(true, predicted))
    assert made["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert made["macro_f1"] == pytest.approx(f1_score(true, predicted, labels=names, average="macro", zero_division=0))
    recalls = recall_score(true, predicted, labels=names, average=None)
    assert recall(matrix).tolist() == pytest.approx(recalls)
    assert precision(matrix).tolist() == pytest.approx(
        precision_score(true, predicted, labels=names, average=None, zero_division=0)
    )
    assert made["g_mean"] == pytest.approx(np.prod(recalls) ** (1 / classes))


def test_rows_are_true_classes():
    matrix = [[8, 2], [5, 5]]
    assert recall(np.array(matrix)).tolist() == [0.8, 0.5]
    assert precision(np.array(matrix)).tolist() == [8 / 13, 5 / 7]


def test_g_mean_by_hand():
    assert metrics([[8, 2], [5, 5]], [1, 1])["g_mean"] == pytest.approx(math.sqrt(0.4))
    assert metrics([[10, 0], [10, 0]], [1, 1])["g_mean"] == 0


def test_a_mean_of_roots_stays_a_number_where_a_product_would_vanish():
    """0.3^1000 is smaller than any float."""
    matrix = 3 * np.eye(1000) + 7 * np.roll(np.eye(1000), 1, axis=1)
    assert metrics(matrix, [1] * 1000)["g_mean"] == pytest.approx(0.3)


def test_harmonic_mean_and_worst_class_by_hand():
    made = metrics([[8, 2], [6, 4]], [1, 1])
    assert made["h_mean"] == pytest.approx(2 / (1 / 0.8 + 1 / 0.4)) and made["worst_class"] == 0.4
    never = metrics([[10, 0], [10, 0]], [1, 1])
    assert never["h_mean"] == never["worst_class"] == 0


@given(st.lists(st.integers(1, 20), min_size=2, max_size=8))
def test_the_means_of_recalls_are_in_order(hits):
    """Worst ≤ harmonic ≤ geometric ≤ arithmetic mean."""
    missed = np.diag([21 - hit for hit in hits])
    made = metrics(np.diag(hits) + np.roll(missed, 1, axis=1), [1] * len(hits))
    assert made["worst_class"] <= made["h_mean"] + 1e-12
    assert made["h_mean"] <= made["g_mean"] + 1e-12 and made["g_mean"] <= made["balanced_accuracy"] + 1e-12


def test_groups_are_split_at_100_and_20_training_images():
    """More than 100 is many, 20 to 100 is medium, and fewer than 20 is few."""
    matrix = np.diag([1, 2, 3, 4, 5]) + np.array(
        [[0, 9, 0, 0, 0], [8, 0, 0, 0, 0], [7, 0, 0, 0, 0], [6, 0, 0, 0, 0], [5, 0, 0, 0, 0]]
    )
    made = metrics(matrix, [101, 100, 20, 19, 1])
    assert made["many_accuracy"] == pytest.approx(0.1)
    assert made["medium_accuracy"] == pytest.approx((0.2 + 0.3) / 2)
    assert made["few_accuracy"] == pytest.approx((0.4 + 0.5) / 2)


@pytest.mark.parametrize(("counts", "there"), [([500, 101], "many"), ([100, 20], "medium"), ([19, 1], "few")])
def test_an_empty_group_is_nan(counts, there):
    made = metrics([[8, 2], [5, 5]], counts)
    for group in ("many", "medium", "few"):
        assert math.isnan(made[f"{group}_accuracy"]) == (group != there)
    assert made[f"{there}_accuracy"] == pytest.approx(0.65)


def test_a_class_without_test_images_counts_for_nothing():
    made = metrics([[8, 2, 0], [5, 5, 0], [0, 0, 0]], [10, 10, 10])
    without = metrics([[8, 2], [5, 5]], [10, 10])
    assert {k: v for k, v in made.items() if not math.isnan(v)} == pytest.approx(
        {k: v for k, v in without.items() if not math.isnan(v)}
    )
    assert math.isnan(recall(np.zeros((2, 2)))[0])


def test_calibration_error_by_hand():
    """Ten images at 0.95, nine right: |9 − 9.5|. Ten at 0.55, two right: |2 − 5.5|. Twenty in all."""
    confidence = np.array([0.95] * 10 + [0.55] * 10)
    correct = np.array([1] * 9 + [0] + [1] * 2 + [0] * 8, dtype=float)
    bins = calibration_bins(confidence, correct)
    assert bins.shape == (3, 15)
    assert expected_calibration_error(bins) == pytest.approx((0.5 + 3.5) / 20)
    assert metrics([[1, 0], [0, 1]], [1, 1], bins)["ece"] == pytest.approx(0.2)
    assert math.isnan(metrics([[1, 0], [0, 1]], [1, 1])["ece"])


@pytest.mark.parametrize(("confidence", "place"), [(0.0, 0), (1e-9, 0), (0.06, 0), (0.07, 1), (0.5, 7), (0.94, 14), (1.0, 14)])
def test_bins_are_fifteenths(confidence, place):
    images = calibration_bins(np.array([confidence]), np.array([1.0]))[0]
    assert images.nonzero()[0].tolist() == [place]


def test_a_bins_errors_cancel_but_not_those_of_different_bins():
    same = calibration_bins(np.array([0.95, 0.95]), np.array([1.0, 0.9]))
    assert expected_calibration_error(same) == pytest.approx(0)
    apart = calibration_bins(np.array([0.5, 0.95]), np.array([1.0, 0.0]))
    assert expected_calibration_error(apart) == pytest.approx((0.5 + 0.95) / 2)


def test_class_wise_calibration_error_by_hand():
    """With one image, the error of each class is its own; with four, 0.9 is right every other time, and 0.1 as it should be."""
    one = class_calibration_bins(np.array([[0.5, 0.3, 0.2]]), np.array([0]))
    assert one.shape == (3, 3, 15)
    bins = calibration_bins(np.array([0.5]), np.array([1.0]))
    assert metrics(np.diag([1, 1, 1]), [3, 2, 1], bins, one)["class_ece"] == pytest.approx((0.5 + 0.3 + 0.2) / 3)
    first = np.array([0.9, 0.9, 0.1, 0.1])
    four = class_calibration_bins(np.stack([first, 1 - first], axis=1), np.array([0, 1, 1, 1]))
    assert [expected_calibration_error(of_class) for of_class in four] == pytest.approx([(0.8 + 0.2) / 4] * 2)
    assert math.isnan(metrics(np.diag([1, 1, 1]), [3, 2, 1], bins)["class_ece"]), "records from before it was kept"


@given(st.integers(2, 5), st.integers(1, 30), st.integers(0, 1000))
def test_each_class_bins_the_probabilities_of_all_images(classes, images, seed):
    rng = np.random.default_rng(seed)
    labels, probabilities = rng.integers(0, classes, images), rng.dirichlet(np.ones(classes), images)
    bins = class_calibration_bins(probabilities, labels)
    assert (bins[:, 0].sum(axis=1) == images).all() and bins[:, 1].sum() == pytest.approx(images)
    assert bins[:, 2].sum(axis=1).tolist() == np.bincount(labels, minlength=classes).tolist()


@given(st.lists(st.integers(0, 1), min_size=4, max_size=40), st.integers(0, 1))
def test_the_smallest_classs_f1_is_that_of_scikit_learn(predicted, small):
    true = np.arange(len(predicted)) % 2
    counts = [5, 50] if small == 0 else [50, 5]
    made = metrics(confusion_matrix(true, predicted, labels=[0, 1]), counts)
    assert made["minority_f1"] == pytest.approx(f1_score(true, predicted, pos_label=small, zero_division=0))


def test_where_several_classes_are_smallest_f1_is_their_mean_and_where_all_are_alike_there_is_none():
    matrix = [[8, 2, 0], [5, 5, 0], [0, 0, 10]]
    assert metrics(matrix, [10, 2, 2])["minority_f1"] == pytest.approx((10 / 17 + 1) / 2)
    assert math.isnan(metrics(matrix, [10, 10, 10])["minority_f1"])


# Sixteen images: recall 0.8, 0.75 and 0.5, precision 0.8, 0.6 and 1, F1 0.8, 2/3 and 2/3. Ten have a confidence of 0.95, of which
# nine are right, and six of 0.55, of which three are. The classes' probabilities sum to 9, 6 and 2, for 10, 4 and 2 images.
_SOME = Outcome.of(
    [[8, 2, 0], [1, 3, 0], [1, 0, 1]],
    [200, 50, 5],
    calibration_bins(np.repeat([0.95, 0.55], [10, 6]), np.repeat([1.0, 0.0, 1.0, 0.0], [9, 1, 3, 3])),
    np.array([[16, 9, 10], [16, 6, 4], [16, 2, 2]])[:, :, None] * np.eye(15)[7],
    seconds={"setup": 1.0, "train": 12.5, "evaluate": 2.0},
    images_per_second=300.0,
    counts={"top_five": [9, 4, 1]},
)
_BY_HAND = {
    "error": 0.25, "accuracy": 0.75, "top5_accuracy": 14 / 16, "top5_error": 2 / 16, "acsa": 2.05 / 3, "many": 0.8,
    "medium": 0.75, "few": 0.5, "macro_f1": 32 / 45, "minority_f1": 2 / 3,
    "g_mean": 0.3 ** (1 / 3), "h_mean": 3 / (1.25 + 4 / 3 + 2), "worst_class": 0.5, "ece": 0.05,
    "class_ece": (1 + 2 + 0) / 16 / 3,
} | {
    f"forward_{f}": (0.8 + 0.75 / f**0.5 + 0.5 / f) / (1 + 1 / f**0.5 + 1 / f) for f in (50, 25, 10, 5, 2)
} | {
    f"backward_{f}": (0.8 / f + 0.75 / f**0.5 + 0.5) / (1 + 1 / f**0.5 + 1 / f) for f in (2, 5, 10, 25, 50)
} | {"images_per_second": 300.0, "seconds": 12.5}  # fmt: skip


def test_every_metric_by_hand():
    """The figures are in the order in which metrics are listed."""
    assert list(METRICS) == list(_BY_HAND)
    assert {name: METRICS[name](_SOME) for name in METRICS} == pytest.approx(_BY_HAND)


def test_a_reader_sees_shares_in_percent_and_what_a_clock_measured_as_it_is():
    shown = {made.name: made.words(made(_SOME)) for made in METRICS.values()}
    assert (shown["error"], shown["acsa"], shown["seconds"]) == ("25.0 %", "68.3 %", "12.5")
    assert METRICS["error"].title == "error rate in %" and METRICS["seconds"].heading == "Training seconds"


def test_what_is_recorded_is_one_value_a_column():
    made = recorded(_SOME)
    assert "error" not in made and made["accuracy"] == 0.75  # an error rate is computed from the accuracy
    assert METRICS["error"].of_column(made["accuracy"]) == 0.25
    assert {"balanced_accuracy", "many_accuracy", "train_seconds"} <= set(made)
    assert on_curves(_SOME) == {name: made[name] for name in ("accuracy", "balanced_accuracy")}


def test_a_metric_goes_by_its_name_or_its_column():
    assert metric_of("acsa") is metric_of("balanced_accuracy") is METRICS["acsa"]
    assert metric_of("accuracy") is METRICS["accuracy"]
    with pytest.raises(UserError, match="x: unknown objective 'balanced_acuracy': did you mean 'balanced_accuracy'"):
        metric_of("balanced_acuracy", "objective", "x")


@pytest.mark.parametrize(
    ("counts", "lacks"),
    [
        ([300, 200], {"medium", "few"}),
        ([90, 40], {"many", "few"}),
        ([9, 9], {"many", "medium", "minority_f1", *TEST_PRIORS}),
        ([500, 50, 5], set()),
    ],
)
def test_class_sizes_say_which_metrics_there_are(counts, lacks):
    no_confidences, few_classes = {"ece", "class_ece"}, {"top5_accuracy", "top5_error"}
    assert {made.name for made in METRICS.values() if not made.applies(counts)} == lacks | no_confidences | few_classes


def test_lower_is_better_of_some():
    assert METRICS["error"].better(0.1, 0.2) and not METRICS["error"].better(0.2, 0.1)
    assert METRICS["acsa"].better(0.2, 0.1) and not METRICS["acsa"].better(0.2, math.nan)


# One's own ----------------------------------------------------------------------------------------


@pytest.fixture
def registry(monkeypatch):
    """Forgets what a test registers when the test is over."""
    monkeypatch.setattr(METRICS, "_items", dict(METRICS._items))
    monkeypatch.setattr(base, "_FAILED", set())
    return METRICS


def test_a_metric_is_a_function_with_a_declaration_above_it(registry):
    @metric("worst", "recall of the worst class")
    def worst(outcome):
        return outcome.recall.min()

    assert registry["worst"] is worst and list(registry)[-1] == "worst"
    assert (worst.short, worst.column, worst.unit, worst.lower_is_better) == ("worst", "worst", "%", False)
    assert worst(_SOME) == recorded(_SOME)["worst"] == 0.5


def test_a_metric_may_be_the_complement_of_anothers_column(registry):
    worst = metric("worst", "recall of the worst class")(lambda outcome: outcome.recall.min() / 4)
    missed = metric("missed", "misses of the worst class", column="worst", complement=True, lower_is_better=True)(worst)
    assert (worst(_SOME), missed(_SOME), recorded(_SOME)["worst"]) == (0.125, 0.875, 0.125)


def test_a_metric_that_fails_is_nan_and_says_so_once(registry):
    metric("inverse", "one over nothing", column="fails_once")(lambda outcome: 1 / 0)
    with pytest.warns(
        UserWarning, match="metric inverse fails for some trials and is left empty there: ZeroDivisionError"
    ) as told:
        made = [recorded(_SOME) for _ in range(3)]
    assert len(told) == 1
    assert all(math.isnan(one["fails_once"]) and one["accuracy"] == 0.75 for one in made)
    assert not registry["inverse"].applies([9, 3])


def test_a_metric_that_gives_no_number_is_nan_too(registry):
    metric("vector", "recalls")(lambda outcome: outcome.recall)
    with pytest.warns(UserWarning, match="metric vector fails for some trials and is left empty there: TypeError"):
        assert math.isnan(registry["vector"](_SOME))


def test_an_infinite_metric_does_not_exist(registry):
    metric("odds", "odds of the best class")(lambda outcome: np.divide(1.0, 0.0))
    with np.errstate(divide="ignore"):
        assert math.isnan(registry["odds"](_SOME))


def test_a_metric_of_confidences_is_not_asked_where_none_are_kept(registry):
    surest = metric("surest", "share of sure predictions", needs_calibration=True)(
        lambda o: o.calibration[0, -1] / o.calibration[0].sum()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(surest(Outcome.of(_SOME.confusion, _SOME.train_counts)))
    assert surest(_SOME) == 10 / 16


def _likelihood(outcome):
    made = outcome.predictions
    return made.log_probabilities[np.arange(len(made.labels)), made.labels].mean(dtype=float)


def test_a_metric_of_predictions_is_there_where_they_are_kept_and_reads_them_when_it_is_asked(registry):
    made = metric("likelihood", "mean log-likelihood", unit="nats", needs_predictions=True)(_likelihood)
    read = []

    def load():
        read.append(1)
        return Predictions.of(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([1, 0]))

    kept = replace(_SOME, kept=load)
    assert METRICS["accuracy"](kept) == METRICS["accuracy"](_SOME) and not read
    assert made(kept) == pytest.approx(math.log(0.75) / 2, abs=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(made(_SOME)), "none are kept"


@pytest.mark.parametrize("declared", [{}, {"needs_predictions": True}])
def test_one_that_says_what_it_needs_passes_every_check(registry, declared):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test looks for its failure without predictions
        metric("likelihood", "mean log-likelihood", unit="nats", **declared)(_likelihood)
        causes = [cause for _, cause, _ in run_checks(cases([("metric", "likelihood")])) if cause]
    assert causes == (
        [] if declared else ["it differs without predictions, but does not declare that it needs it: needs_predictions=True"]
    )


@pytest.mark.parametrize(
    ("name", "declared", "words"),
    [
        ("acsa", {"column": "other"}, "'acsa'"),
        ("worst", {"column": "ece"}, "metrics ece and worst share the name 'ece'"),
        ("many_accuracy", {"column": "other"}, "metrics many and many_accuracy share the name 'many_accuracy'"),
        ("worst", {"column": "acsa"}, "metrics acsa and worst share the name 'acsa'"),
        ("Worst class", {}, "metric 'Worst class' becomes the name of a column: use lower-case"),
        ("_worst", {}, "becomes the name of a column"),
    ],
)
def test_a_name_and_a_column_are_given_once_and_can_be_written(registry, name, declared, words):
    with pytest.raises(UserError, match=words):
        metric(name, "recall of the worst class", **declared)(lambda outcome: outcome.recall.min())
    assert list(registry) == list(_BY_HAND)


def test_a_network_that_says_one_thing_has_collapsed():
    assert collapsed([199, 1]) and not collapsed([197, 3])


# Many classes -------------------------------------------------------------------------------------


@given(st.integers(2, 9).flatmap(lambda c: st.tuples(st.just(c), st.lists(st.integers(0, c - 1), min_size=1, max_size=60))))
def test_counts_by_class_give_every_figure_that_a_confusion_matrix_gives(drawn):
    """They agree to the bit, even if classes are never predicted or have no test image."""
    classes, predicted = drawn
    true = np.arange(len(predicted)) % max(2, classes - 1)  # the last class may be without test images
    matrix, sizes = confusion_matrix(true, predicted, labels=range(classes)), [500 // (c + 1) ** 2 for c in range(classes)]
    five = {"top_five": np.bincount(true, minlength=classes)} if classes > 5 else {}
    bins = calibration_bins(np.full(len(true), 0.5), (true == predicted).astype(float))
    whole = Outcome.of(matrix, sizes, bins, counts=five)
    counts = {"images": matrix.sum(axis=1), "right": matrix.diagonal(), "predicted": matrix.sum(axis=0), **five}
    made = Outcome.of(None, sizes, bins, counts=counts)
    assert recorded(made) == pytest.approx(recorded(whole), rel=0, abs=0, nan_ok=True)
    assert collapsed(made.predicted) == collapsed(whole.predicted)
    assert math.isnan(recorded(made)["top5_accuracy"]) == (classes <= 5)


def test_top_five_is_there_with_six_classes_and_in_no_record_that_is_older():
    assert METRICS["top5_error"].applies([1] * 6) and not METRICS["top5_error"].applies([1] * 5)
    old = Outcome.of(np.eye(6), [1] * 6)
    assert math.isnan(METRICS["top5_error"](old)) and METRICS["error"](old) == 0


@pytest.mark.parametrize("classes", [MATRIX_CLASSES, MATRIX_CLASSES + 1, 8142])
def test_class_sizes_say_which_metrics_there_are_of_many_classes(registry, classes):
    sizes = [max(1, 1000 // (c + 1)) for c in range(classes)]
    pairs = metric("pairs", "images of class 0 taken for class 1", needs_confusion=True)(lambda o: o.confusion[0, 1])
    lacking = {made.name for made in METRICS.values() if not made.applies(sizes)}
    assert lacking == {"ece", "class_ece"} | ({"pairs"} if classes > MATRIX_CLASSES else set())
    assert pairs.applies([2, 1])


@pytest.mark.parametrize("declared", [{}, {"needs_confusion": True}])
def test_one_of_pairs_of_classes_must_say_so(registry, declared):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test looks for its failure without a matrix
        metric("spread", "share of class pairs that are never taken for each other", **declared)(_never_taken)
        causes = [cause for _, cause, _ in run_checks(cases([("metric", "spread")])) if cause]
    assert causes == (
        [] if declared else ["it differs without confusion, but does not declare that it needs it: needs_confusion=True"]
    )


def _never_taken(outcome):
    return float((outcome.confusion[~np.eye(len(outcome.confusion), dtype=bool)] == 0).mean())
