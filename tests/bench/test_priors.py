"""`bench.py priors`: a table of methods on test sets with other class frequencies, made from kept predictions."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.label_shift import PRIORS, under_priors
from bench.records.store import Store
from bench.report.tables.priors import build
from lt_core import label_shift
from lt_core.errors import UserError
from lt_core.label_shift import BBSE, EM, KNOWN
from lt_core.metrics import METRICS
from lt_core.predictions import Kept, Predictions, save
from lt_core.side_file import PREDICTIONS
from tests.bench import synthetic

IMAGES = 50


def with_predictions(folder, result, seed, validation=True):
    """``result`` with the predictions of a classifier that favours the head, like its training subset."""
    rng, classes = np.random.default_rng(seed), len(result.train_counts)
    prior = np.array(result.train_counts) / sum(result.train_counts)

    def made(images):
        labels = np.repeat(np.arange(classes), images)
        scores = prior * np.exp(4 * np.eye(classes)[labels] + rng.normal(0, 1, (len(labels), classes)))
        return Predictions.of(scores / scores.sum(axis=1, keepdims=True), labels)

    kept = Kept(made(IMAGES), made(20) if validation else None)
    digest = save(PREDICTIONS.path(folder, result.trial_id), kept)
    return replace(result, confusion=kept.test.confusion.tolist(), environment={**result.environment, PREDICTIONS.name: digest})


@pytest.fixture
def store(tmp_path):
    """Two methods of two trials with predictions, and one without."""
    made = [
        with_predictions(tmp_path / "run" / "predictions", synthetic.trial(label, seed), place)
        for place, (label, seed) in enumerate([("softmax", 0), ("softmax", 1), ("focal", 0), ("focal", 1)])
    ]
    return synthetic.store(tmp_path / "run", [*made, synthetic.trial("sigmoid")])


def shown(store, only="*"):
    return build(store.frame(), lambda rows: under_priors(store, rows), only)


def cell(table, row, column):
    (found,) = (r for r in table.rows if r.label == row)
    return found.cells[[c.name for c in table.columns].index(column)]


def test_a_method_as_it_is_has_the_figures_of_its_records(store):
    (table,) = shown(store)
    frame = store.frame().groupby("label")
    for name in PRIORS:
        metric = METRICS["acsa" if name == "uniform" else name]
        for label in ("softmax", "focal"):
            mean = 100 * frame.get_group(label)[metric.column].mean()
            assert cell(table, label, name.replace("_", " ")).mean == pytest.approx(mean)
    assert [c.name for c in table.columns][:2] == ["forward 50", "forward 25"] and table.columns[5].name == "uniform"


def test_a_row_for_each_way_and_the_gain_is_where_the_tail_is_tested(store):
    (table,) = shown(store)
    assert sorted(row.label for row in table.rows) == sorted(
        label + way for label in ("softmax", "focal") for way in ("", " + known prior", " + EM", " + BBSE")
    )
    for way in (KNOWN, EM, BBSE):
        assert cell(table, f"softmax + {way}", "backward 50").mean > cell(table, "softmax", "backward 50").mean + 5
    assert cell(table, "softmax", "uniform").n == 2


def test_trials_without_predictions_are_left_out_and_told(store):
    (table,) = shown(store)
    assert "1 finished trial without predictions left out" in table.notes
    assert not any("sigmoid" in row.label for row in table.rows)
    with pytest.raises(UserError, match=r"no finished trial .* has kept predictions: run them with --keep predictions"):
        shown(store, "sigmoid")
    with pytest.raises(UserError, match=r"--only 'crt' matches no method of the run, which has .*softmax"):
        shown(store, "crt")


def test_without_a_validation_split_a_method_is_shown_as_it_is(tmp_path):
    trial = with_predictions(tmp_path / "run" / "predictions", synthetic.trial(validation=0), 0, validation=False)
    (table,) = shown(synthetic.store(tmp_path / "run", [trial]))
    assert cell(table, "softmax", "forward 2").mean > 0
    assert all(cell(table, f"softmax + {way}", "forward 2").mean is None for way in (KNOWN, EM, BBSE))
    assert any(note.startswith("1 trial without validation images of each class") for note in table.notes)


def test_where_bbse_has_no_estimate_it_is_empty_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(label_shift, "bbse_priors", lambda confusion, predicted: None)
    trial = with_predictions(tmp_path / "run" / "predictions", synthetic.trial(), 0)
    (table,) = shown(synthetic.store(tmp_path / "run", [trial]))
    assert cell(table, "softmax + BBSE", "uniform").mean is None and cell(table, "softmax + EM", "uniform").mean > 0
    assert any(note.startswith("1 trial without BBSE: the validation split's confusion matrix cannot") for note in table.notes)


def test_each_data_column_has_a_table_and_balanced_classes_have_none(tmp_path):
    made = [
        with_predictions(tmp_path / "run" / "predictions", synthetic.trial(factor=factor), place)
        for place, factor in enumerate((50, 10, 1))
    ]
    tables = shown(synthetic.store(tmp_path / "run", made))
    assert [table.title.rpartition(": ")[2] for table in tables] == ["digits IF 50", "digits IF 10"]


def test_a_damaged_file_is_named(store):
    file = next((store.path / "predictions").iterdir())
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{file.name} are damaged or belong to another trial"):
        shown(store)


def test_through_the_command_line_from_data_to_table(call, tmp_path):
    code, _, err = call(
        "run", "quick", "--only", "softmax", "--where", "imbalance_factor=10", "--epochs", "1", "--backend", "inline", "--keep",
        "predictions", "--out", str(tmp_path),
    )  # fmt: skip
    assert code == 0, err
    code, out, err = call("priors", str(tmp_path / "quick"), "--format", "json")
    assert code == 0, err
    cells = {(c["row"], c["column"]): c for c in json.loads(out)["cells"]}
    frame = Store.open(tmp_path / "quick").frame()
    assert cells["softmax", "uniform"]["mean"] == pytest.approx(100 * frame["balanced_accuracy"].mean())
    assert cells["softmax", "backward 25"]["mean"] == pytest.approx(100 * frame["backward_25"].mean())
    assert cells["softmax + known prior", "uniform"]["n"] == 3
    shutil.rmtree(tmp_path / "quick" / "predictions")
    code, _, err = call("priors", str(tmp_path / "quick"))
    assert code == 2 and err.count("\n") == 1 and ".npz cannot be read" in err
