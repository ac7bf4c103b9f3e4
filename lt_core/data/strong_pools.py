"""Pools of operations from which strong views are made, as in the public code of each method.

A pool maps a number that is uniform in 0…1, one for each image and operation, to the magnitude of the operation. If a magnitude
has a sign, the same number gives both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lt_core.data import strong_ops as ops

#: Pixels that one operation changes at once: for memory beyond 32 MiB the allocator takes fresh pages, which cost more than the
#: operation.
_PIXELS = 2**20
#: Uniform numbers [n] to magnitudes [n].
Magnitude = Callable[[Tensor], Tensor]
#: Operations, each with its magnitude.
Choices = Sequence[tuple[ops.Operation, Magnitude]]


def applied(choices: Choices, pixels: Tensor, drawn: Tensor, strengths: Tensor) -> Tensor:
    """``pixels`` uint8 [B, H, W, channels], on any device, after one operation per image and round. Images with the same
    operation form a group, which one tensor operation changes together.

    Args:
        drawn: the number of each operation, int64 [rounds, B] on the CPU, so that the host knows the groups without waiting for
            the device; a number beyond the last leaves the image as it is.
        strengths: uniform numbers [rounds, B] on the CPU.
    """
    at_once = max(1, _PIXELS // (pixels.shape[1] * pixels.shape[2]))
    rounds = [
        [
            (operation, mine, magnitude(strength[mine]))
            for number, (operation, magnitude) in enumerate(choices)
            for mine in (operations == number).nonzero()[:, 0].split(at_once)
        ]
        for operations, strength in zip(drawn, strengths, strict=True)
    ]
    # One upload for the images of all groups and one for their magnitudes: an upload costs the host more than an operation.
    groups = [group for groups in rounds for group in groups]
    if not groups:
        return pixels
    sizes = [len(mine) for _, mine, _ in groups]
    images, magnitudes = (
        iter(torch.cat(parts).to(pixels.device, non_blocking=True).split(sizes))
        for parts in ([mine for _, mine, _ in groups], [strength for _, _, strength in groups])
    )
    for groups in rounds:
        made = pixels.clone()
        for operation, mine, _ in groups:
            where, strength = next(images), next(magnitudes)
            if len(mine):
                made[where] = operation(pixels[where], strength)
        pixels = made
    return pixels


@dataclass(frozen=True)
class Pool:
    """The operations that a strong view draws from, with their magnitudes.

    ``crop`` says whether the view starts from the weak view's crop and flip, or has its own before or after the operations.
    """

    choices: tuple[tuple[ops.Operation, Magnitude], ...]
    drawn: int  # operations per image, drawn with replacement
    chance: float  # probability with which each of them is applied
    crop: str  # "weak", "before" or "after"


def _same(s: Tensor) -> Tensor:
    return s


def sign(s: Tensor) -> Tensor:
    """−1 for the lower half of the numbers, 1 for the upper half."""
    return torch.where(s < 0.5, -1.0, 1.0)


def any_level(s: Tensor) -> Tensor:
    """A level that is uniform in 0…1, independent of the sign."""
    return (2 * s - 1).abs()


def tenths(s: Tensor) -> Tensor:
    """A level from 0.1 to 0.9 in steps of 0.1, independent of the sign."""
    return ((s * 18).floor() % 9 + 1) / 10


def four_of_thirty(s: Tensor) -> Tensor:
    """The level 4/30, whatever number is drawn."""
    return torch.full_like(s, 4 / 30)


_COLOURS = (ops.color, ops.contrast, ops.brightness, ops.sharpness)
_UNMEASURED = (ops.identity, ops.autocontrast, ops.equalize, ops.invert)


def _ranges(level: Magnitude, shift: float, fill: int) -> tuple[tuple[ops.Operation, Magnitude], ...]:
    """The operations that the three pools below share, by a level in 0…1, with AutoAugment's ranges.

    Args:
        level: the level for a uniform number.
        shift: share of the side by which the highest level moves an image.
        fill: grey level of the place that an image was moved away from.
    """
    moves: tuple[tuple[Callable[..., Tensor], float], ...] = (
        (ops.rotate, 30.0), (ops.shear_x, 0.3), (ops.shear_y, 0.3), (ops.translate_x, shift), (ops.translate_y, shift),
    )  # fmt: skip
    return (
        *((operation, lambda s: 0.1 + 1.8 * level(s)) for operation in _COLOURS),
        *((functools.partial(move, fill=fill), lambda s, most=most: most * level(s) * sign(s)) for move, most in moves),
    )


#: Always two of 14 operations, in the ranges of CTAugment, on the weak view's crop. Strong views were made in this way before the
#: pools below existed.
_ALWAYS = Pool(
    (
        (ops.identity, _same), (ops.autocontrast, _same), (ops.equalize, _same),
        *((operation, lambda s: 0.05 + 0.9 * s) for operation in (ops.brightness, ops.color, ops.contrast, ops.sharpness)),
        (ops.posterize, lambda s: 4 + (s * 5).floor().clamp_max(4)),
        (ops.solarize, lambda s: (s * 256).floor().clamp_max(255)),
        (ops.rotate, lambda s: 60 * s - 30),
        *((move, lambda s: 0.6 * s - 0.3) for move in (ops.shear_x, ops.shear_y, ops.translate_x, ops.translate_y)),
    ),
    drawn=2, chance=1.0, crop="weak",
)  # fmt: skip

#: google-research/fixmatch, libml/augment.py (RANDOM_POLICY_OPS, AugmentPoolRAMC) and third_party/auto_augment.
_FIXMATCH = Pool(
    (
        *((operation, _same) for operation in _UNMEASURED if operation is not ops.invert),
        *_ranges(tenths, 10 / 32, ops.GREY),
        (ops.posterize, lambda s: 4 - (4 * tenths(s)).floor()),
        (ops.solarize, lambda s: 256 - (256 * tenths(s)).floor()),
    ),
    drawn=2, chance=0.5, crop="before",
)  # fmt: skip

#: google-research/crest, data/augment_ops.py (RandAugment, mode all) and third_party/rand_augment.py.
_CREST = Pool(
    (
        *((operation, _same) for operation in _UNMEASURED),
        *_ranges(any_level, 10 / 32, ops.GREY),
        # TensorFlow shifts by 7 at most, so that the highest bit is kept even if no bit is asked for.
        (ops.posterize, lambda s: (4 * any_level(s)).floor().clamp_min(1)),
        (ops.solarize, lambda s: (256 * any_level(s)).floor()),
        (ops.solarize_add, lambda s: (110 * any_level(s)).floor()),
    ),
    drawn=2, chance=0.5, crop="before",
)  # fmt: skip

#: RandAugment(3, 4) of ildoonet/pytorch-randaugment, which TACJu/Bi-Sampling and LeeHyuck/ABC call before their crop.
_RANDAUGMENT = Pool(
    (
        *((operation, _same) for operation in _UNMEASURED if operation is not ops.identity),
        *_ranges(four_of_thirty, 100 / 32, 0),
        (ops.posterize, lambda s: (4 * four_of_thirty(s)).floor().clamp_min(1)),
        (ops.solarize, lambda s: 256 * four_of_thirty(s)),
        (ops.add_and_solarize, lambda s: 110 * four_of_thirty(s)),
        (ops.patch, _same),
    ),
    drawn=3, chance=1.0, crop="after",
)  # fmt: skip

POOLS: dict[str, Pool] = {"always": _ALWAYS, "fixmatch": _FIXMATCH, "crest": _CREST, "randaugment": _RANDAUGMENT}
