"""Features that have the same length for all images, so that only their direction matters."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.models.registry import Backbone, called
from lt_core.parts import promises


class OfLength(Backbone):
    """``backbone`` with features of the given ``length``: s·x/‖x‖ (Wang et al. 2017, NormFace, Eq. 1).

    A classifier of such features has logits s·w·cos + b, so that s is the factor on its logits.

    >>> from lt_core.models.frozen import Given
    >>> OfLength(Given(2), 10)(torch.tensor([[[[3.0]], [[4.0]]]]))
    tensor([[6., 8.]])
    """

    def __init__(self, backbone: Backbone, length: float) -> None:
        super().__init__()
        self.called, self.inner, self.length, self.width = called(backbone), backbone, length, backbone.width
        self.captured = promises(backbone)

    @property
    def groups(self) -> nn.ModuleList:  # type: ignore[override]
        """The groups of the backbone."""
        return self.inner.groups

    def begin(self, images: Tensor) -> Tensor:
        return self.inner.begin(images)

    def finish(self, hidden: Tensor) -> Tensor:
        return self._scaled(self.inner.finish(hidden))

    def forward(self, images: Tensor) -> Tensor:
        return self._scaled(self.inner(images))

    def _scaled(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):  # the square of a small feature would underflow
            return self.length * F.normalize(features.float(), dim=1)


def of_length(backbone: nn.Module, length: float) -> nn.Module:
    """``backbone`` with features of that length; ``backbone`` itself if ``length`` is 0, which leaves features unchanged."""
    return OfLength(cast(Backbone, backbone), length) if length else backbone
