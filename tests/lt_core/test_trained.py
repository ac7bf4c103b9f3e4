"""Weights that a trial leaves: after loading they give the same predictions, to the bit; wrong files are rejected."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.predictions import Predictions
from lt_core.predictions import load as load_predictions
from lt_core.side_file import PREDICTIONS, WEIGHTS
from lt_core.testing.trials import fitting_spec, tiny_spec
from lt_core.trained import load
from lt_core.training import Runtime, run_trial

VALIDATED = {"imbalance_factor": 10, "n_max": 60, "validation": 2}
SPECS = {
    "correction of predictions": tiny_spec("logit_adjusted_posthoc", epochs=1),
    "sigmoids and their bias": tiny_spec("cb_sigmoid", epochs=1),
    "scaled cosines": tiny_spec("ldam_drw", epochs=2),
    "two branches": tiny_spec("bbn", epochs=1),
    "averaged weights": tiny_spec("softmax", epochs=1, ema=0.9),
    "features of one length": tiny_spec("softmax", epochs=1, feature_length=8.0),
    "chosen on the validation split": tiny_spec("tau_norm", data=VALIDATED, epochs=1),
    "a classifier of stored features": tiny_spec("softmax[stages=features]", epochs=2),
    "no second stage": tiny_spec("crt[retrain=0]", epochs=1),
    "grown by pseudo-labels": fitting_spec("crest", epochs=1),
    "bfloat16": tiny_spec("softmax", epochs=1, precision="bfloat16"),
    "crops": tiny_spec("softmax", epochs=1, pad=0, crop=6, eval_resize=7),
    "a network of torchvision": tiny_spec("softmax", epochs=1, model="mobilenet_v3_small"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A finished trial of plain cross-entropy with weights and predictions, and their folder."""
    folder = tmp_path_factory.mktemp("run")
    return leave(tiny_spec("softmax", epochs=1), folder), folder


def leave(spec, folder):
    result = run_trial(spec, Runtime(device="cpu", weights=str(folder), predictions=str(folder)))
    assert result.status == "ok", result.traceback
    return result


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_is_read_predicts_what_the_trial_predicted(spec, tmp_path):
    result = leave(spec, tmp_path)
    classifier = load(WEIGHTS.path(tmp_path, spec.trial_id), result.environment["weights"])
    images = load_set("digits")
    said = Predictions.of(classifier(torch.from_numpy(images.test_pixels())).numpy(), images.test_labels)
    there = load_predictions(PREDICTIONS.path(tmp_path, spec.trial_id), result.environment["predictions"])
    assert np.array_equal(said.log_probabilities, there.test.log_probabilities)
    assert said.confusion.tolist() == result.confusion
    assert classifier.spec == spec and not classifier.training
    assert not any(p.requires_grad for p in classifier.parameters())


def test_weights_change_neither_the_figures_nor_the_id_and_are_the_same_twice(kept, tmp_path):
    result, folder = kept
    plain = run_trial(result.spec, Runtime(device="cpu"))
    assert "weights" not in plain.environment and plain.trial_id == result.trial_id
    assert plain.confusion == result.confusion and plain.curve == result.curve
    leave(result.spec, tmp_path)
    one, other = (WEIGHTS.path(place, result.trial_id).read_bytes() for place in (folder, tmp_path))
    assert one == other


def test_the_file_needs_nothing_of_ours_to_be_read(kept):
    """The guide promises this: the tensors have the names of the network's own state."""
    result, folder = kept
    state = load_file(WEIGHTS.path(folder, result.trial_id))
    assert state["network.classifier.weight"].shape == (10, 64)
    assert state["counts"].tolist() == result.train_counts
    assert state["scale"].shape == state["shift"].shape == (1,)


def test_a_folder_that_cannot_be_written_costs_the_weights_and_not_the_trial(kept, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="no weights are written to"):
        result = run_trial(kept[0].spec, Runtime(device="cpu", weights=str(tmp_path / "file")))
    assert result.status == "ok" and "weights" not in result.environment


def test_files_that_are_not_theirs_are_refused(kept, tmp_path):
    result, folder = kept
    file, digest = WEIGHTS.path(folder, result.trial_id), result.environment["weights"]
    content = file.read_bytes()
    flipped = tmp_path / "flipped.safetensors"
    flipped.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="are damaged or belong to another trial"):
        load(flipped, digest)
    with pytest.raises(UserError, match=r"cannot be read .* --keep weights"):
        load(tmp_path / "none", digest)
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "text").write_text("no tensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other", metadata={"format": "pt"})
    for name in ("text", "other"):
        with pytest.raises(UserError, match="not in the layout of this version"):
            load(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layout": 2}, "layout 2"),
        ({"shape": [8, 8, 3]}, "RuntimeError"),
        ({"dtype": "int8"}, "KeyError"),
        ({"spec": {}}, "KeyError"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(kept, tmp_path, change, words):
    result, folder = kept
    file = WEIGHTS.path(folder, result.trial_id)
    content = file.read_bytes()
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header = {**json.loads(head["__metadata__"]["lt_bench"]), **change}
    save_file(load_file(file), tmp_path / "changed", metadata={"lt_bench": json.dumps(header)})
    with pytest.raises(UserError, match=f"not in the layout of this version .*{words}"):
        load(tmp_path / "changed")


def test_published_weights_are_not_asked_for_again():
    """A trial that started with a file of weights can be read without that file."""
    from lt_core.models.registry import without_weights

    assert without_weights("resnet18[weights=0123abcd,trained=last_block]") == "resnet18"
    assert without_weights("resnet32[shortcut=avgpool]") == "resnet32[shortcut=avgpool]"
    frozen = "frozen[backbone=efficientnet_lite0,size=112,weights=0123abcd,views=1]"
    assert without_weights(frozen) == frozen
