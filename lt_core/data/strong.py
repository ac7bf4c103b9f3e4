"""FixMatch's strong view in batches on the device: operations of random strength, then cutout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lt_core.data.loader import Batches
from lt_core.data.strong_ops import square
from lt_core.data.strong_pools import POOLS, Pool, applied


@dataclass(frozen=True)
class StrongAugment:
    """Operations of a pool, followed by a grey square (Sohn et al. 2020, section 2.3 and appendix D; Cubuk et al. 2020; DeVries
    and Taylor 2017).
    """

    pool: Pool = POOLS["always"]
    cutout: float = 0.5  # side of the square, as a share of the image's height

    def view(self, stream: Batches, positions: Tensor, weak: Tensor, draw: Generator, host: Generator) -> Tensor:
        """A strong view of the images at ``positions`` of ``stream``: uint8 [B, H, W, channels].

        Args:
            weak: their weak view, whose crop and flip a pool may share.
            draw: the generator for crop and flip, on the device.
            host: the generator for operations and cutout, on the CPU.
        """
        if self.pool.crop == "weak":
            return self(weak, host)
        if self.pool.crop == "before":
            return self(stream.pixels(positions, draw), host)
        changed = self.operations(stream.plain(positions), host)
        return self.cut(stream.moved(changed, positions, draw), host)

    def __call__(self, pixels: Tensor, generator: Generator) -> Tensor:
        """The strong view of ``pixels`` uint8 [B, H, W, channels], on any device, in the same shape.

        Args:
            generator: on the CPU, so that the host knows which images share an operation without waiting for the device.
        """
        return self.cut(self.operations(pixels, generator), generator)

    def operations(self, pixels: Tensor, generator: Generator) -> Tensor:
        """The pool's operations, without cutout."""
        count, choices = len(pixels), self.pool.choices
        drawn = torch.randint(0, len(choices), (self.pool.drawn, count), generator=generator)
        strengths = torch.rand(self.pool.drawn, count, generator=generator)
        if self.pool.chance < 1:
            left_out = torch.rand(self.pool.drawn, count, generator=generator) >= self.pool.chance
            drawn = drawn.masked_fill(left_out, len(choices))
        return applied(self.pool.choices, pixels, drawn, strengths)

    def cut(self, pixels: Tensor, generator: Generator) -> Tensor:
        """``pixels`` with a grey square around a uniformly random centre, cut off at the border."""
        height, width = pixels.shape[1:3]
        centres = (torch.rand(2, len(pixels), generator=generator) * torch.tensor([[height], [width]])).floor()
        return square(pixels, round(self.cutout * height), centres.to(pixels.device, non_blocking=True))
