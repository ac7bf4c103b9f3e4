"""A frozen backbone on the command line: features computed ahead, a run on them with Ray, and what is rejected."""

from __future__ import annotations

import json

import pytest
import torch

BACKBONE = """
from torch import nn
from lt_core.frozen import BACKBONES, BackboneInfo

def build(size, classes):
    features = nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*features, nn.Linear(5, classes))

BACKBONES.add("mine", BackboneInfo("mine", "a convolution", build, size=12))
"""
SUITE = """
about: heads on features of a backbone of one's own
plugins: [backbone.py]
recipe: {{base: frozen, model: "frozen[backbone=mine,weights={weights}]", epochs: 2}}
data: {{dataset: digits, imbalance_factor: 10, n_max: 50}}
methods: {methods}
seeds: 1
"""


@pytest.fixture
def own(tmp_path, monkeypatch, call):
    """A folder with a backbone, its weights and a suite that uses it, and a cache without features."""
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "backbone.py").write_text(BACKBONE)
    space = {}
    exec(BACKBONE.partition("BACKBONES.add")[0], space)
    torch.manual_seed(0)
    torch.save(space["build"](12, 7).state_dict(), tmp_path / "w.pth")
    (tmp_path / "own.yaml").write_text(SUITE.format(weights="w.pth", methods="[softmax, crt]"))
    (tmp_path / "pictures.yaml").write_text(SUITE.format(weights="w.pth", methods="[softmax, tail_augmentation]"))
    (tmp_path / "trained.yaml").write_text(
        "about: no frozen backbone\nrecipe: digits\ndata: {dataset: digits}\nmethods: softmax\nseeds: 1\n"
    )
    return tmp_path


def test_features_are_computed_ahead_and_a_run_on_ray_finds_them(own, call):
    code, out, err = call("features", "own.yaml")
    assert code == 0, err
    assert "features of digits by mine@" in out and "1,797 of 1,797" in out
    folder = next((own / "cache" / "features").glob("digits-mine*[0-9a-f]"))
    written = (folder / "meta.json").stat().st_mtime_ns
    code, out, err = call("run", "own.yaml", "--out", "runs")
    assert code == 0, err
    assert "pictures to compute" not in out and (folder / "meta.json").stat().st_mtime_ns == written
    records = [json.loads(file.read_text()) for file in (own / "runs" / "own" / "records").glob("*.json")]
    assert {record["status"] for record in records} == {"ok"} and len(records) == 2
    assert len({record["environment"]["features_fingerprint"] for record in records}) == 1
    assert "model frozen[backbone=mine" in out
    assert "these figures do not measure how well features are learnt" in out


def test_what_cannot_be_is_refused_before_anything_starts(own, call):
    code, _, err = call("run", "pictures.yaml", "--out", "runs")
    assert code == 2 and "tail_augmentation changes pictures (augment tail)" in err and not (own / "runs").exists()
    moving = (own / "pictures.yaml").read_text().replace("tail_augmentation", "range_loss")
    (own / "moving.yaml").write_text(moving)
    code, _, err = call("run", "moving.yaml", "--out", "runs")
    assert code == 2 and "range_loss moves features (regularizer range)" in err
    code, _, err = call("features", "trained.yaml")
    assert code == 2 and "none of the suites trained.yaml has a frozen backbone" in err
