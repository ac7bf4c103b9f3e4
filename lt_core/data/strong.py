"""FixMatch's strong view in batches on the device: RandAugment with random strengths, then cutout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lt_core.data.strong_ops import GREY, OPERATIONS


@dataclass(frozen=True)
class StrongAugment:
    """``ops`` operations an image, each drawn from 14 with a strength of its own, and a grey square (Sohn et al. 2020,
    section 2.3 and appendix D; Cubuk et al. 2020; DeVries and Taylor 2017).

    Images that drew the same operation are done together, in one tensor operation for the group.
    """

    ops: int = 2
    cutout: float = 0.5  # side of the square, as a share of the image's height

    def __call__(self, pixels: Tensor, generator: Generator) -> Tensor:
        """uint8 [B, H, W, channels] on any device to the same shape.

        Args:
            generator: on the CPU, so that the host knows the groups without waiting for the device.
        """
        count, device = len(pixels), pixels.device
        drawn = torch.randint(0, len(OPERATIONS), (self.ops, count), generator=generator)
        strengths = torch.rand(self.ops, count, generator=generator)
        for operations, strength in zip(drawn, strengths, strict=True):
            made = torch.empty_like(pixels)
            for number, operation in enumerate(OPERATIONS):
                mine = (operations == number).nonzero()[:, 0]
                if len(mine):
                    where = mine.to(device, non_blocking=True)
                    made[where] = operation(pixels[where], strength[mine].to(device, non_blocking=True))
            pixels = made
        return self._cut(pixels, torch.rand(2, count, generator=generator).to(device, non_blocking=True))

    def _cut(self, pixels: Tensor, centres: Tensor) -> Tensor:
        """A grey square at a uniform centre, cut off at the border."""
        height, width = pixels.shape[1:3]
        side = round(self.cutout * height)
        covered = []
        for size, centre in zip((height, width), centres, strict=True):
            start = (centre * size).floor() - side // 2
            place = torch.arange(size, device=pixels.device)
            covered.append((place >= start[:, None]) & (place < start[:, None] + side))
        return pixels.masked_fill((covered[0][:, :, None] & covered[1][:, None, :])[..., None], GREY)
