"""Random numbers that depend on the image and not on when it is drawn: a hash of seed, epoch, image, and number of earlier draws.

With a generator, each draw depends on all draws before it, so the augmentation of an image would depend on its batch. With these
numbers, an image is augmented in the same way in a batch, in part of a batch, on one of several ranks, and after an interruption.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The step of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA) and the multipliers of its finaliser, as signed numbers. Products
# of int64 tensors keep their lower 64 bits on every device.
_STEP = -0x61C8864680B583EB
_MULTIPLIERS = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)
_BITS = 24  # random bits of a number, as many as a float32 below 1 can hold


def _mixed(x: Tensor) -> Tensor:
    """A hash of ``x`` int64: every bit of the result depends on every bit of ``x``."""
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        x = (x ^ _shifted(x, shift)) * multiplier
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """``x`` shifted right, with zeros from the left; int64's own shift would repeat the sign."""
    return (x >> by) & ((1 << (64 - by)) - 1)


class Numbers:
    """A stream of uniform numbers for each image of a batch.

    Args:
        keys: int64 [B], one per image; equal keys give equal streams.
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.taken = keys, 0

    def take(self, count: int) -> Tensor:
        """The next ``count`` numbers of each stream, in [0, 1): float32 [count, B]."""
        places = torch.arange(self.taken + 1, self.taken + count + 1, device=self.keys.device)
        self.taken += count
        bits = _shifted(_mixed(self.keys + places[:, None] * _STEP), 64 - _BITS)
        return bits.float() / (1 << _BITS)


class Draws:
    """Gives each image of a batch its random numbers, and counts how often each image was drawn in the current epoch.

    >>> draws = Draws(count=10, device=torch.device("cpu"))
    >>> whole = draws.numbers(torch.tensor([3, 7, 3]), seed=1).take(1)
    >>> draws.begin(0)
    >>> draws.skip(torch.tensor([3, 7]))  # by another process
    >>> torch.equal(draws.numbers(torch.tensor([3]), seed=1).take(1), whole[:, 2:])
    True

    Args:
        count: number of images.
        device: where positions are.
        lead: other draws of the same training, whose epoch these follow.
    """

    def __init__(self, count: int, device: torch.device, lead: Draws | None = None) -> None:
        self.lead, self.epoch, self.begun = lead, 0, 0
        self.drawn = torch.zeros(count, dtype=torch.int64, device=device)

    def begin(self, epoch: int) -> None:
        """Start epoch ``epoch``, or start it again."""
        self.epoch = epoch
        self.begun += 1
        self.drawn.zero_()

    def skip(self, positions: Tensor) -> None:
        """Count the images at ``positions`` [B] as drawn, because another process draws them."""
        self._count(positions)

    def numbers(self, positions: Tensor, seed: int) -> Numbers:
        """The numbers of the images at ``positions`` [B]. An image that occurs twice counts as two draws, in this order."""
        times, keys = self._count(positions), torch.full_like(positions, seed)
        for part in (torch.full_like(positions, self.epoch), positions, times):
            keys = _mixed(keys + _STEP) + part
        return Numbers(_mixed(keys + _STEP))

    def _count(self, positions: Tensor) -> Tensor:
        """How often each image was drawn before, earlier in the epoch or in ``positions``: int64 [B]."""
        if self.lead is not None and self.lead.begun != self.begun:
            self.begin(self.lead.epoch)
            self.begun = self.lead.begun
        order = positions.argsort(stable=True)
        ordered = positions[order]
        first, behind = torch.searchsorted(ordered, ordered), torch.searchsorted(ordered, ordered, right=True)
        before, place = self.drawn[ordered], torch.arange(len(order), device=order.device)
        self.drawn[ordered] = before + behind - first  # if an image occurs twice, both write the same number
        times = torch.empty_like(order)
        times[order] = before + place - first
        return times
