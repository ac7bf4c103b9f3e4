"""Augmentation that depends on the class, in addition to the recipe's."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lt_core.fields import param
from lt_core.parts import Part, part

#: (normalised images [B, channels, H, W], labels [B], generator) → images of the same shape.
Augmentation = Callable[[Tensor, Tensor, Generator], Tensor]


class Augment(Part):
    """Changes training images after the recipe's crop and flip."""

    @abstractmethod
    def bind(self, counts: Tensor) -> Augmentation | None:
        """The change for class sizes ``counts`` ([C]); None if nothing changes."""


@part("augment", "none")
class NoAugment(Augment):
    """Only the recipe's augmentation."""

    captured: ClassVar[bool] = True

    def bind(self, counts: Tensor) -> Augmentation | None:
        return None


@part("augment", "tail")
class Tail(Augment):
    """The rarer a class is, the more often its images are rotated, scaled, and changed in contrast and brightness.

    An image of class c is changed with probability tail_strength · (1 − n_c/n_max), so images of the largest class never are. The
    rotation is uniform within ±tail_angle degrees, the scale within 1 ± 0.2, the contrast within 1 ± 0.3, and the brightness
    within ± 0.3 standard deviations. All images of a batch are changed in one operation on the device.
    """

    beyond_features: ClassVar[str] = "changes pictures"
    captured: ClassVar[bool] = True

    tail_strength: float = param(
        0.8, "probability of augmentation for the rarest classes; 0: no augmentation", low=0, high=1, tune=(0.5, 0.8, 1.0)
    )
    tail_angle: float = param(15.0, "largest rotation angle in degrees", low=0, high=180)

    def bind(self, counts: Tensor) -> Augmentation | None:
        if self.tail_strength == 0:
            return None
        chances = (self.tail_strength * (1 - counts / counts.max())).float()

        def change(images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
            drawn = torch.rand(5, len(images), generator=generator, device=images.device)
            angle, zoom, contrast, brightness = (2 * drawn[1:] - 1).unbind()
            angle, zoom = angle * math.radians(self.tail_angle), 1 + 0.2 * zoom
            cos, sin, none = angle.cos() * zoom, angle.sin() * zoom, torch.zeros_like(angle)
            turn = torch.stack([torch.stack([cos, -sin, none], 1), torch.stack([sin, cos, none], 1)], 1)
            grid = F.affine_grid(turn, list(images.shape), align_corners=False)
            moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
            mean = moved.mean(dim=(1, 2, 3), keepdim=True)
            contrast, brightness = 1 + 0.3 * contrast[:, None, None, None], 0.3 * brightness[:, None, None, None]
            changed = (moved - mean) * contrast + mean + brightness
            return torch.where((drawn[0] < chances[labels])[:, None, None, None], changed, images)

        return change
