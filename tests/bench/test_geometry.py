"""`geometry`: figures of features on the command line, compared with those of networks that the test loads itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_samples

import bench
from bench.explaining.geometry import measures
from bench.explaining.kept import kept_trials, network, of_one_budget
from bench.records.store import Store
from lt_core import asked
from lt_core.data.sources import load_set
from lt_core.data.trial_images import draw_images
from tests.bench.harness import TINY

SHORT = {
    **TINY,
    "recipe": {"base": "digits", "epochs": 3},
    "data": {"dataset": "digits", "imbalance_factor": 20, "n_max": 60},
    "methods": ["over_sampling", "softmax"],
}


@pytest.fixture
def kept(write_suite, tmp_path):
    """A run of two methods on digits, two seeds each, with weights."""
    return bench.run(write_suite(**SHORT), backend="inline", keep="weights", out=tmp_path)


def test_figures_by_the_command_line(kept, call, capsys):
    capsys.readouterr()
    code, out, err = call("geometry", str(kept.path), "--format", "json")
    assert code == 0, err
    cells = {}
    for table in (json.loads(text) for text in out.strip().split("\n\n")):
        cells |= {(cell["row"], cell["group"], cell["column"]): cell for cell in table["cells"]}
    images = load_set("digits")
    pixels, labels = torch.from_numpy(images.test_pixels()), images.test_labels
    spreads, silhouettes, nearest, wrong = [], [], [], []
    for result in kept_trials(kept, "softmax"):
        trained, split = network(kept, result), draw_images(result.spec.data, torch.device("cpu")).split
        with torch.no_grad():
            logits, features = (each.numpy() for each in trained.said(trained.images(pixels)))
            _, theirs = trained.said(trained.images(split.train.pixels))
        own = np.stack([features[labels == c].mean(axis=0) for c in range(10)])
        learnt = np.stack([theirs[split.train.labels == c].numpy().mean(axis=0) for c in range(10)])
        order = np.argsort(-np.array(result.train_counts), kind="stable")
        smaller = order[5:]
        each = [np.linalg.norm(features[labels == c] - own[c], axis=1).mean() for c in range(10)]
        next_one = [np.sort(np.linalg.norm(own - own[c], axis=1))[1] for c in range(10)]
        spreads.append(np.mean([each[c] / next_one[c] for c in smaller]))
        values = silhouette_samples(features, labels)
        silhouettes.append(np.mean([values[labels == c].mean() for c in smaller]))
        guess = np.linalg.norm(features[:, None] - learnt, axis=2).argmin(axis=1)
        nearest.append(np.mean([(guess == c)[labels == c].mean() for c in smaller]))
        wrong.append(np.mean(guess != logits.argmax(axis=1)))
    for group, column, expected in (
        ("spread ÷ distance to the next class", "smaller", np.mean(spreads)),
        ("silhouette", "smaller", np.mean(silhouettes)),
        ("nearest centre %", "smaller", 100 * np.mean(nearest)),
        ("", "NC4 %", 100 * np.mean(wrong)),
    ):
        cell = cells["softmax", group, column]
        assert cell["mean"] == pytest.approx(expected, rel=1e-3) and cell["n"] == 2
    assert {row for row, _, _ in cells} == {"softmax", "over_sampling"}


def test_of_clusters_far_apart():
    """Two classes at ±5 on a line with spread 1, computed by hand."""
    features = np.array([[4.0], [6.0], [-4.0], [-6.0]])
    labels, weights = np.array([0, 0, 1, 1]), np.array([[1.0], [-1.0]])
    found = measures(features, labels, labels, weights, features[[0, 2]], labels[[0, 2]], [30, 2])
    assert found["spread_larger"] == found["spread_smaller"] == pytest.approx(0.1)
    assert found["nearest_smaller"] == 1.0 and found["nc4"] == 0.0
    assert found["nc1"] == pytest.approx(1 / 25 / 2) and found["nc3"] == pytest.approx(0)


def test_the_slopes_of_a_linear_classifier_are_its_weights(kept):
    trained = network(kept, kept_trials(kept)[0])
    found = asked.slopes(trained, np.ones(64))
    assert found == pytest.approx(trained.network.classifier.weight.numpy())


def test_trials_of_another_budget_are_left_out_and_told(kept, write_suite, tmp_path, call):
    bench.run(
        write_suite(**{**SHORT, "recipe": {"base": "digits", "epochs": 2}}),
        backend="inline",
        keep="weights",
        out=tmp_path,
        limit=2,
    )
    both = Store.open(kept.path)
    results = kept_trials(both)
    there, notes = of_one_budget(both, results)
    assert len(results) == 6 and len(there) == 4 and any("left out" in note for note in notes)
    code, out, _ = call("geometry", str(kept.path))
    assert code == 0 and "left out (epochs 2 instead of epochs 3)" in out


def test_an_ensemble_is_refused(write_suite, tmp_path, call):
    changes = {**SHORT, "methods": ["easy_ensemble"], "seeds": 1}
    store = bench.run(write_suite(**changes), backend="inline", keep="weights", out=tmp_path)
    code, _, err = call("geometry", str(store.path))
    assert code == 2 and "easy_ensemble is an ensemble, whose networks do not share features" in err
    code, _, err = call("explain", str(store.path))
    assert code == 2 and "an ensemble has no map of the picture, which gradcam needs" in err
    code, _, err = call("explain", str(store.path), "--kind", "rise[masks=10]", "--images", "2", "--out", "a.png")
    assert code == 0, err
