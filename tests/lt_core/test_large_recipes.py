"""Recipes for photographs: the values of their papers' code, and a few steps of each."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from lt_core.data.loader import Images, Split
from lt_core.methods import resolve
from lt_core.models import build_model
from lt_core.models.heads import LinearHead
from lt_core.recipes import RECIPES
from lt_core.spec import DataSpec, TrialSpec
from lt_core.training.evaluate import evaluate
from lt_core.training.loop import Training

CPU = torch.device("cpu")
LARGE = [name for name in RECIPES if RECIPES[name].crop == 224]
CUI = ("cui_large", "cui_ilsvrc")


def training_of(name, method, size, **changes):
    """A training on six pictures of noise in three classes."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (6, size, size, 3), generator=generator, dtype=torch.uint8)
    images = Images(pixels, torch.tensor([0, 0, 0, 1, 1, 2]))
    split = Split(images, images, images, torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64), (size, size, 3))
    recipe = dataclasses.replace(RECIPES[name], batch_size=2, precision="float32", **changes)
    return Training(TrialSpec(DataSpec("digits"), resolve(method), recipe), split, CPU)


def some_steps(name, method, size, **changes):
    """Train for a few steps, and check that they move every weight."""
    training = training_of(name, method, size, **changes)
    before = [p.detach().clone() for p in training.model.parameters()]
    assert math.isfinite(training.run_epoch())
    moved = [not torch.equal(p, old) for p, old in zip(training.model.parameters(), before, strict=True)]
    assert all(moved)
    assert evaluate(training, training.split.test).confusion.sum() == 6


def test_there_are_recipes_for_photographs():
    assert set(LARGE) >= {"cui_large", "cui_ilsvrc", "imagenet_lt_90", "inat_90", "places_lt_90"}
    assert all(RECIPES[name].evaluated_at == 256 for name in LARGE)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LARGE)
def test_resnet50_takes_steps_at_224_pixels(name):
    some_steps(name, "cb_focal" if name in CUI else "softmax", 256, model="resnet50")


@pytest.mark.parametrize("name", LARGE)
def test_a_small_network_takes_steps(name):
    some_steps(name, "cb_focal", 40, model="resnet18", crop=35)


@pytest.mark.parametrize("name", CUI)
def test_the_classifier_begins_as_on_the_tpu(name):
    """Weights have a standard deviation of 0.01. For sigmoids the bias is −log(C − 1); neither it nor batch norm is decayed."""
    training = training_of(name, "cb_focal", 40, model="resnet18", crop=32)
    layer = training.model.classifier
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert torch.allclose(layer.bias, torch.full((3,), -math.log(2)))
    decayed, spared = ({id(p) for p in group["params"]} for group in training.optimizer.param_groups)
    assert [group["weight_decay"] for group in training.optimizer.param_groups] == [1e-4, 0.0]
    for module in training.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert {id(module.weight), id(module.bias)} <= spared
    assert id(layer.bias) in spared and id(layer.weight) in decayed


def test_pixels_are_normalised_as_for_inaturalist():
    white = torch.full((1, 40, 40, 3), 255, dtype=torch.uint8)
    seen = training_of("inat_90", "softmax", 40, model="resnet18", crop=35).batches.for_evaluation(white)
    expected = (1 - torch.tensor([0.466, 0.471, 0.380])) / torch.tensor([0.195, 0.194, 0.192])
    torch.testing.assert_close(seen, expected[None, :, None, None].expand(1, 3, 35, 35))


@pytest.mark.parametrize(("init", "deviation"), [("he", math.sqrt(2 / 64)), ("glorot", math.sqrt(2 / 1064)), ("small", 0.01)])
def test_heads_begin_with_the_recipes_deviation(init, deviation):
    layer = build_model("small_cnn", (8, 8, 1), 1000, LinearHead(), head_init=init).classifier
    assert layer.in_features == 64 and layer.bias.abs().max() == 0
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.03)
