"""RISE (Petsiuk, Das and Saenko 2018, BMVC): the average probability of the class when a place remains visible."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lt_core.explain.base import Explainable, Explanation, explains
from lt_core.fields import param


def masks(grids: Tensor, offsets: Tensor, height: int, width: int) -> Tensor:
    """Masks [M, height, width] in 0…1: small grids that are enlarged, and shifted by less than a cell (section 3.2).

    Args:
        grids: 0 or 1, [M, s, s].
        offsets: int64 [M, 2], rows and columns, at least 0 and below the sides of a cell, ⌈height/s⌉ and ⌈width/s⌉.
    """
    side = grids.shape[1]
    cells = [-(-length // side) for length in (height, width)]
    large = F.interpolate(grids[:, None].float(), [(side + 1) * cell for cell in cells], mode="bilinear", align_corners=False)[
        :, 0
    ]
    rows = offsets[:, 0, None] + torch.arange(height, device=grids.device)
    columns = offsets[:, 1, None] + torch.arange(width, device=grids.device)
    return large[torch.arange(len(grids), device=grids.device)[:, None, None], rows[:, :, None], columns[:, None, :]]


@explains("rise")
class Rise(Explanation):
    """The mean probability of the class over random masks that leave a place visible (Petsiuk et al. 2018); for any network.

    Hidden pixels get the mean colour of the training images. All pictures and methods get the same masks.
    """

    masks: int = param(1000, "number of random masks, the same for every picture", low=1)
    cells: int = param(7, "cells along each side of a mask; at most half as many as the side has pixels", low=1)
    keep: float = param(0.5, "share of the cells that stay visible", above=0, below=1)
    seed: int = param(0, "seed of the random masks", low=0)
    batch: int = param(250, "masked pictures that are computed at once", low=1)

    def heat(self, classifier: Explainable, images: Tensor, labels: Tensor) -> Tensor:
        drawn = self.drawn(*images.shape[2:]).to(images)
        heat = torch.zeros(len(images), *images.shape[2:], device=images.device)
        for shown in drawn.split(self.batch):
            for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
                said = classifier.predicted(image * shown[:, None])[:, label]
                heat[number] += (said.float()[:, None, None] * shown).sum(dim=0)
        return heat / (self.masks * self.keep)

    def drawn(self, height: int, width: int) -> Tensor:
        """The masks for pictures of this size: [M, height, width], drawn on the CPU so that they are the same on every device."""
        generator = Generator().manual_seed(self.seed)
        side = min(self.cells, max(1, min(height, width) // 2))
        grids = torch.rand(self.masks, side, side, generator=generator) < self.keep
        cell = torch.tensor([-(-height // side), -(-width // side)])
        offsets = (torch.rand(self.masks, 2, generator=generator) * cell).long()
        return masks(grids, offsets, height, width)
