"""docs/backbones.md: its backbone is as short as it says, and its commands run; published networks on the command line."""

from __future__ import annotations

import json
import re

import pytest
import torch

from bench.suites import calibration
from lt_core.pretrained import BACKBONES
from lt_core.testing.trials import tiny_spec
from lt_core.training.loop import Training
from tests.bench.pages import Page

PAGE = Page("docs/backbones.md")
PUBLISHED = """
about: a published network
recipe: {{base: digits, model: "{model}", epochs: 1, normalize: imagenet}}
data: {{dataset: digits, imbalance_factor: 10, n_max: 30}}
methods: {methods}
seeds: 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the page, and a cache without weights."""
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    for name, text in PAGE.files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def models_in(run):
    return {json.loads(file.read_text())["spec"]["recipe"]["model"] for file in (run / "records").glob("*.json")}


def test_the_backbone_of_the_page_is_short_and_its_commands_run(folder, call):
    written = len(PAGE.files["backbone.py"].splitlines())
    assert written <= 10 and f"of {written} lines" in PAGE.text
    for words in PAGE.commands:
        code, out, err = call(*words, *(["--backend", "inline"] if words[0] == "run" else []))
        assert code == 0, err + out
        if words[0] == "check":
            assert out.endswith("\n5 checks: 5 passed, 0 failed\n")
    assert [words[0] for words in PAGE.commands] == ["check", "plan", "run"]
    (model,) = models_in(folder / "results" / "runs" / "own")
    assert re.fullmatch(r"mine@[0-9a-f]{8}", model)


def test_weights_of_ones_own_are_trained_further_and_frozen(folder, call):
    space = {}
    exec(PAGE.files["backbone.py"], space)
    BACKBONES.remove("mine")
    torch.save(space["build"](8, 7).state_dict(), folder / "w.pth")
    for model in ("mine[weights=w.pth]", "frozen[backbone=mine,size=8,weights=w.pth]"):
        base = "frozen" if model.startswith("frozen") else "digits"
        text = PAGE.files["own.yaml"].replace("base: digits, model: mine", f'base: {base}, model: "{model}"')
        (folder / f"on_{base}.yaml").write_text(text)
        code, out, err = call("run", f"on_{base}.yaml", "--only", "softmax", "--backend", "inline")
        assert code == 0, err + out
    digest = next((folder / "cache" / "weights").iterdir()).stem.rpartition("-")[2]
    (model,), (frozen,) = (models_in(folder / "results" / "runs" / name) for name in ("on_digits", "on_frozen"))
    assert re.fullmatch(rf"mine@[0-9a-f]{{8}}\[weights={digest}\]", model)
    assert re.fullmatch(rf"frozen\[backbone=mine@[0-9a-f]{{8}},size=8,weights={digest}\]", frozen)


def test_a_file_of_another_network_is_refused_before_anything_starts(folder, call):
    torch.save(torch.nn.Linear(2, 2).state_dict(), folder / "w.pth")
    (folder / "wrong.yaml").write_text(PUBLISHED.format(model="resnet18[weights=w.pth]", methods="[softmax]"))
    code, _, err = call("run", "wrong.yaml", "--backend", "inline")
    assert code == 2 and "does not fit backbone resnet18: it lacks conv1.weight" in err and err.count("\n") == 1
    assert not list((folder / "results").rglob("*.json"))


def test_a_price_needs_no_weights(folder, call):
    model = "resnet18[weights=00000000,trained=last_block]"
    (folder / "absent.yaml").write_text(PUBLISHED.format(model=model, methods="[softmax, bbn]"))
    code, out, err = call("plan", "absent.yaml")
    assert code == 0 and "2 by timing a few steps on this machine" in out, err
    code, _, err = call("run", "absent.yaml", "--backend", "inline")
    assert code == 2 and "the weights 00000000 of resnet18 were not found" in err and err.count("\n") == 1


def test_a_large_network_is_priced_by_as_few_pictures_as_a_step_has_time_for(monkeypatch):
    batches, run_epoch = [], Training.run_epoch
    monkeypatch.setattr(Training, "run_epoch", lambda self: batches.append(self.recipe.batch_size) or run_epoch(self))
    spec = tiny_spec()
    assert calibration.calibrate(spec) > 0 and batches[-2:] == [64, 64], "the recipe's, which takes a moment"
    monkeypatch.setattr(calibration, "_STEP_SECONDS", 0.0)
    assert calibration.calibrate(spec) > 0 and batches[-2:] == [2, 2]
