"""Predictions that a trial leaves: what rounding may change and what it may not, and that wrong files are rejected."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lt_core.errors import UserError
from lt_core.metrics import METRICS, TOP, Outcome, calibration_bins, class_calibration_bins
from lt_core.predictions import Kept, Predictions, load, save
from lt_core.side_file import PREDICTIONS
from lt_core.training import Runtime, run_trial
from lt_core.training.evaluate import classes_before

probabilities = arrays.arrays(np.float32, (6, 5), elements=st.floats(0, 1, width=32))


def test_by_hand():
    made = Predictions.of(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([1, 1]))
    assert made.log_probabilities.tolist() == [[np.float16(np.log(0.25)), np.float16(np.log(0.75))], [0, -60000]]
    assert made.log_probabilities.dtype == np.float16 and made.labels.dtype == np.uint8
    assert made.confusion.tolist() == [[0, 0], [1, 1]]
    assert made.probabilities[1].tolist() == [1, 0]


def test_close_probabilities_that_float16_cannot_tell_apart_keep_their_order():
    """Their logarithms round to the same float16, and the first of equal ones would be the prediction."""
    close = np.array([[0.49999, 0.5, 0.00001]], np.float32)
    assert len(set(np.log(close[0, :2]).astype(np.float16))) == 1
    assert Predictions.of(close, np.array([0])).predicted.tolist() == [1]


@given(probabilities)
def test_the_prediction_is_kept_to_the_image(given):
    assert (Predictions.of(given, np.zeros(6, int)).predicted == given.argmax(axis=1)).all()


@given(probabilities)
def test_a_logarithm_moves_by_at_most_what_is_said(given):
    there = given > 0
    with np.errstate(divide="ignore"):
        exact = np.log(given.astype(np.float64))
    kept = Predictions.of(given, np.zeros(6, int)).log_probabilities.astype(np.float64)
    assert (np.abs(kept - exact)[there] <= 0.0015 * np.abs(exact[there]) + 1e-7).all()
    assert (np.exp(kept[~there]) == 0).all()


@given(probabilities)
def test_posteriors_are_the_probabilities_divided_by_their_sum(given):
    """With a loss over sigmoids, all probabilities may be 0, but posteriors must still exist."""
    made = Predictions.of(given, np.zeros(6, int))
    assert made.posteriors.sum(axis=1) == pytest.approx(1)
    total = made.probabilities.sum(axis=1, keepdims=True)
    some = total[:, 0] > 1e-6
    assert made.posteriors[some] == pytest.approx((made.probabilities / np.where(total, total, 1))[some])


# Of a trial ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["softmax", "sigmoid", "threshold_moving"])
def trial(request, make_spec, tmp_path_factory):
    """A finished trial with a validation split, and the predictions that it left."""
    folder = tmp_path_factory.mktemp("run") / "predictions"
    spec = make_spec(request.param, data={"imbalance_factor": 10, "n_max": 60, "validation": 5})
    result = run_trial(spec, Runtime(predictions=str(folder)))
    return result, folder


def test_a_trial_leaves_what_its_record_counts(trial):
    result, folder = trial
    kept = load(PREDICTIONS.path(folder, result.trial_id), result.environment[PREDICTIONS.name])
    assert [file.name for file in folder.iterdir()] == [f"{result.trial_id}.npz"]
    assert kept.test.confusion.tolist() == result.confusion
    assert kept.validation.confusion.tolist() == result.validation_confusion


def test_metrics_made_of_it_are_those_of_the_record(trial):
    """Metrics of the confusion matrix agree to the bit, those of confidences to a tenth of a point, and those of the five most
    probable classes up to the two images whose fifth and sixth class are equal in float16.
    """
    result, folder = trial
    test = load(PREDICTIONS.path(folder, result.trial_id), result.environment[PREDICTIONS.name]).test
    confidence, right = test.probabilities.max(axis=1), (test.predicted == test.labels).astype(float)
    bins = calibration_bins(confidence, right), class_calibration_bins(test.probabilities, test.labels)
    before = classes_before(torch.from_numpy(test.log_probabilities), torch.from_numpy(test.labels.astype(int))).numpy()
    five = {"top_five": np.bincount(test.labels[before < TOP], minlength=10)}
    again, record = Outcome.of(test.confusion, result.train_counts, *bins, counts=five), result.outcome()
    for metric in METRICS.values():
        if not metric.measured:
            tolerance = 1e-3 if metric.needs_calibration else 2 / len(before) if metric.column == "top5_accuracy" else 0
            assert metric(again) == pytest.approx(metric(record), abs=tolerance, rel=0, nan_ok=True), metric.name


def test_what_is_kept_changes_no_figure_and_no_id(trial, make_spec, figures):
    result, _ = trial
    plain = run_trial(result.spec)
    assert figures(plain) == figures(result) and plain.trial_id == result.trial_id
    assert PREDICTIONS.name not in plain.environment


def test_the_same_trial_leaves_the_same_file(trial, tmp_path):
    result, _ = trial
    again = run_trial(result.spec, Runtime(predictions=str(tmp_path)))
    assert again.environment[PREDICTIONS.name] == result.environment[PREDICTIONS.name]


def test_a_folder_that_cannot_be_written_costs_the_predictions_and_not_the_trial(make_spec, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="no predictions are written to .*file"):
        result = run_trial(make_spec(epochs=1), Runtime(predictions=str(tmp_path / "file")))
    assert result.status == "ok" and PREDICTIONS.name not in result.environment


# What can be wrong with a file ------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    made = Predictions.of(np.random.default_rng(0).dirichlet(np.ones(3), 20), np.arange(20) % 3)
    file = PREDICTIONS.path(tmp_path, "abc")
    return file, save(file, Kept(made))


def test_without_a_validation_split_there_is_none(written):
    assert load(*written).validation is None


def test_every_flipped_byte_is_found(written):
    file, digest = written
    whole = file.read_bytes()
    for place in range(0, len(whole), 37):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UserError, match=r"the predictions .*abc\.npz are damaged or belong to another trial"):
            load(file, digest)


def test_another_trials_file_is_refused(written, tmp_path):
    file, _ = written
    other = save(PREDICTIONS.path(tmp_path, "other"), Kept(Predictions.of(np.eye(3), np.arange(3))))
    with pytest.raises(
        UserError, match=r"abc\.npz are damaged or belong to another trial \(SHA-256 [0-9a-f]{8}…, but [0-9a-f]{8}…"
    ):
        load(file, other)


def test_a_missing_file_is_named(written):
    file, digest = written
    file.unlink()
    with pytest.raises(UserError, match=r"abc\.npz cannot be read \(No such file or directory\)"):
        load(file, digest)


def test_what_would_run_code_when_it_is_loaded_is_refused(tmp_path):
    """A record and a file may come from a stranger, who can also make digests."""
    file = tmp_path / "evil.npz"
    np.savez(file, test_labels=np.array([print], dtype=object), test_log_probabilities=np.zeros((1, 2)))
    with pytest.raises(UserError, match="have a layout that this version cannot read"):
        load(file, hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_disk_that_fills_up_leaves_what_was_there(written, monkeypatch):
    file, digest = written
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        save(file, Kept(Predictions.of(np.eye(3), np.arange(3))))
    assert load(file, digest).test.labels.tolist() == (np.arange(20) % 3).tolist(), "what was there is whole"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
