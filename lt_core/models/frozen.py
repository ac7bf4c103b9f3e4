"""The model of the frozen track: features of a pretrained backbone are passed to the head unchanged."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from lt_core.frozen.label import DEFAULT, MODEL, resolved
from lt_core.models.registry import MODELS, Backbone, ModelInfo
from lt_core.pretrained import BACKBONES


class Given(Backbone):
    """Takes features [B, width, 1, 1] in place of images, and gives them as [B, width]."""

    captured = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.groups = ()  # type: ignore[assignment]

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def _build(shape: tuple[int, int, int], backbone: str = "", size: str = "", weights: str = "", views: str = "") -> Given:
    return Given(math.prod(shape))


def _sees(options: Mapping[str, str]) -> tuple[int, int, int]:
    return 1, 1, BACKBONES[options.get("backbone", DEFAULT)].width


MODELS.add(
    MODEL,
    ModelInfo(
        MODEL,
        "features of a fixed pretrained backbone, computed once per image set: frozen[backbone=efficientnet_lite0,size=112], "
        "or a network of torchvision",
        _build,
        resolved,
        _sees,
    ),
)
