"""What an evaluation counts by class: labels among the five most probable, and the counts that replace a confusion matrix."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lt_core.metrics import METRICS
from lt_core.predictions import load
from lt_core.result import TrialResult
from lt_core.side_file import PREDICTIONS
from lt_core.training import Runtime, evaluate, run_trial
from lt_core.training.loop import Training

CPU = torch.device("cpu")
QUICK = Path(__file__).parents[2] / "results" / "quick" / "records"


def in_order(row):
    """Classes from the most probable one down, where ties keep their order."""
    return sorted(range(len(row)), key=lambda c: (-row[c], c))


@given(arrays.arrays(np.float32, (7, 8), elements=st.sampled_from([0.0, 0.125, 0.25, 0.5])), st.data())
def test_a_label_is_after_the_classes_that_sorting_puts_before_it(probabilities, data):
    """There are few different values, so that most are tied."""
    labels = data.draw(st.lists(st.integers(0, 7), min_size=7, max_size=7))
    before = evaluate.classes_before(torch.from_numpy(probabilities), torch.tensor(labels)).tolist()
    assert before == [in_order(row).index(label) for row, label in zip(probabilities.tolist(), labels, strict=True)]
    assert [place == 0 for place in before] == (probabilities.argmax(axis=1) == labels).tolist()


@pytest.fixture(scope="module")
def corrected(make_spec, make_split):
    """A training of ten classes after one epoch, whose predictions are corrected by a prior."""
    training = Training(make_spec("threshold_moving"), make_split([40, 30, 20, 9, 8, 7, 6, 5, 3, 2]), CPU)
    training.run_epoch()
    return training


def test_top_five_is_counted_on_what_is_predicted_in_the_end(corrected):
    """Compared with brute force on outputs and prior; without the prior, the five classes would be others."""
    corrected.model.eval()
    test, counts = corrected.split.test, corrected.split.counts
    with torch.no_grad():
        outputs = corrected.outputs(corrected.batches.normalise(test.pixels)).log_softmax(1).double()
    labels = test.labels.tolist()

    def count(scores):
        among = [label for row, label in zip(scores.tolist(), labels, strict=True) if label in in_order(row)[:5]]
        return np.bincount(among, minlength=10).tolist()

    made = evaluate.evaluate(corrected, test)
    assert made.counts["top_five"].tolist() == count(outputs - (counts / counts.sum()).log()) != count(outputs)


def test_counts_are_the_margins_of_the_matrix_that_is_not_kept(corrected, monkeypatch):
    whole = evaluate.evaluate(corrected, corrected.split.test)
    monkeypatch.setattr(evaluate, "MATRIX_CLASSES", 9)
    made = evaluate.evaluate(corrected, corrected.split.test)
    matrix = whole.confusion
    expected = {"images": matrix.sum(axis=1), "right": matrix.diagonal(), "predicted": matrix.sum(axis=0), **whole.counts}
    assert {name: values.tolist() for name, values in made.counts.items()} == {n: v.tolist() for n, v in expected.items()}
    assert made.confusion is None and made.probabilities is None and made.class_calibration() == []
    assert (made.calibration == whole.calibration).all()
    assert (made.accuracy, made.balanced_accuracy) == (whole.accuracy, whole.balanced_accuracy)
    kept = evaluate.evaluate(corrected, corrected.split.test, keep=True)
    assert torch.equal(kept.probabilities, whole.probabilities) and kept.class_calibration() == []


def test_up_to_five_classes_nothing_is_counted_beside_the_matrix(make_spec, make_split):
    for classes in (5, 6):
        training = Training(make_spec(), make_split([4] * classes), CPU)
        assert list(evaluate.evaluate(training, training.split.test).counts) == (["top_five"] if classes == 6 else [])


@pytest.mark.parametrize("method", ["softmax", "crt"])
def test_a_trial_of_many_classes_has_every_figure_but_calibration_by_class(method, make_spec, monkeypatch, tmp_path):
    spec = make_spec(method, data={"dataset": "digits", "imbalance_factor": 10, "n_max": 60, "validation": 2})
    whole = run_trial(spec)
    monkeypatch.setattr(evaluate, "MATRIX_CLASSES", 9)
    made = TrialResult.from_record(json.loads(json.dumps(run_trial(spec, Runtime(predictions=str(tmp_path))).to_record())))
    assert made.trial_id == whole.trial_id and made.curve == whole.curve
    assert made.confusion == made.validation_confusion == [] and made.validated
    for validation in (False, True):
        one, other = whole.outcome(validation), made.outcome(validation)
        for metric in METRICS.values():
            if not metric.measured and metric.name != "class_ece":
                assert metric(other) == pytest.approx(metric(one), rel=0, abs=0, nan_ok=True), metric.name
        assert METRICS["accuracy"](one) <= METRICS["top5_accuracy"](one) <= 1
    kept = load(PREDICTIONS.path(tmp_path, made.trial_id), made.environment[PREDICTIONS.name])
    assert kept.test.confusion.tolist() == whole.confusion


def test_a_record_from_before_is_read_and_written_as_it_was():
    """An older record has no counts by class, so only its top-5 figures are missing."""
    record = json.loads(min(QUICK.glob("*.json")).read_text())
    result = TrialResult.from_record(record)
    assert "class_counts" not in record and not {"class_counts", "validation_class_counts"} & set(result.to_record())
    figures = result.metrics()
    assert np.isnan(figures["top5_accuracy"]) and figures["accuracy"] > 0


def test_counts_stand_in_the_record_where_there_are_any(make_spec):
    result = run_trial(make_spec(epochs=1))
    assert set(result.to_record()["class_counts"]) == {"top_five"} and "validation_class_counts" not in result.to_record()
