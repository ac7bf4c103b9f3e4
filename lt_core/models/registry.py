"""Models by name, and the network that joins a backbone to a head."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lt_core.errors import unknown
from lt_core.labels import parse_label
from lt_core.models.heads import Head
from lt_core.registry import Registry


class Backbone(nn.Module):
    """Images [B, channels, H, W] to features [B, ``width``]."""

    width: int


@dataclass(frozen=True)
class ModelInfo:
    """``build(shape, **options)`` makes the backbone; ``shape`` is (height, width, channels) of an image."""

    name: str
    about: str
    build: Callable[..., Backbone]


MODELS: Registry[ModelInfo] = Registry("model")


class Net(nn.Module):
    """A backbone and its classifier."""

    def __init__(self, backbone: Backbone, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images))


def build_model(label: str, shape: tuple[int, int, int], classes: int, head: Head, seed: int = 0) -> Net:
    """The model that ``label`` names, initialised from ``seed`` alone; the global generator is left as it was.

    Raises:
        UserError: unknown model or option.
    """
    name, options = parse_label(label)
    info = MODELS[name]
    known = [p for p in inspect.signature(info.build).parameters if p != "shape"]
    for key in options:
        if key not in known:
            raise unknown("option", key, known, name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would touch the GPUs' generators too
        backbone = info.build(shape, **options)
        return Net(backbone, head.build(backbone.width, classes))


def check_model(label: str, shape: tuple[int, int, int], classes: int, head: Head) -> None:
    """Raise what `build_model` would raise, without allocating anything."""
    with torch.device("meta"):
        build_model(label, shape, classes, head)
