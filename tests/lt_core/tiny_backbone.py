"""A backbone that is small enough for tests, and fixtures that keep its weights and features in a cache of their own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lt_core.frozen import BACKBONES, BackboneInfo, Frozen, compute, features
from lt_core.models import resolved_model

WIDTH, SIZE = 6, 12


def tiny_backbone(size, classes):
    """A convolution, and a classifier on its features."""
    layers = nn.Conv2d(3, WIDTH, 3, 2), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(WIDTH, classes))


def register():
    """Register the backbone."""
    BACKBONES.add("tiny", BackboneInfo("tiny", "a test's", tiny_backbone, SIZE, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))


@pytest.fixture
def weights(tmp_path):
    """A file of weights of ``tiny``, with a classifier of seven classes."""
    torch.manual_seed(0)
    torch.save(tiny_backbone(SIZE, 7).state_dict(), tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth"


@pytest.fixture
def frozen(weights, tmp_path, monkeypatch):
    """The features of ``tiny``, computed 256 images at a time."""
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(features, "_open", type(features._open)())
    monkeypatch.setattr(compute, "_PIECE", 256)
    register()
    yield Frozen.of(resolved_model(f"frozen[backbone=tiny,weights={weights}]"))
    BACKBONES.remove("tiny")


@pytest.fixture
def frozen_spec(frozen, fitting_spec):
    """As `fitting_spec`, on features, with a validation split."""
    from lt_core.testing.trials import VALIDATED

    def make(method="softmax", at=None, **recipe):
        return fitting_spec(method, at, VALIDATED, model=frozen.label, pad=0, **recipe)

    return make
