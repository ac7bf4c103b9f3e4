"""Changes that a recipe makes to training pictures besides crop and flip: colour jitter, RandAugment, TrivialAugment.

Operations and magnitudes are those of torchvision.transforms.v2 (ColorJitter, RandAugment, TrivialAugmentWide), on batches.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from lt_core.data import strong_ops as ops
from lt_core.data.draws import Numbers
from lt_core.data.strong_pools import Choices, Magnitude, applied, sign
from lt_core.recipes import Recipe

#: Changes pixels uint8 [B, H, W, channels], by the random numbers of each image.
Change = Callable[[Tensor, Numbers], Tensor]

BINS = 31  # number of magnitudes, from none to the largest
_BLACK = 0  # fills the place that an image was moved away from


def jitter(pixels: Tensor, numbers: Numbers, strengths: tuple[float, ...]) -> Tensor:
    """Brightness, contrast and saturation, multiplied by factors uniform in 1 ± their strengths, in a random order per image."""
    choices = [
        (operation, functools.partial(_between, max(0.0, 1 - most), 1 + most))
        for operation, most in zip((ops.brightness, ops.contrast, ops.color), strengths, strict=True)
        if most
    ]
    orders = torch.tensor(list(itertools.permutations(range(len(choices)))))
    drawn = numbers.take(1 + len(choices)).cpu()
    return applied(choices, pixels, orders[_one_of(len(orders), drawn[0])].T, drawn[1:])


def _between(low: float, high: float, s: Tensor) -> Tensor:
    return low + (high - low) * s


def policy(pixels: Tensor, numbers: Numbers, choices: Choices, rounds: int) -> Tensor:
    """One operation per round, all equally likely."""
    drawn = numbers.take(2 * rounds).cpu()
    return applied(choices, pixels, _one_of(len(choices), drawn[:rounds]), drawn[rounds:])


def _one_of(count: int, drawn: Tensor) -> Tensor:
    return (drawn * count).long().clamp_max(count - 1)  # float32 may round up to ``count``


def _space(level: Magnitude, slope: float, shift: Callable[[int], float], angle: float, most: float, bits: int) -> Choices:
    """Fourteen operations, whose magnitudes depend on a level from 0 to 1 and a sign.

    Args:
        level: the level for a uniform number.
        slope, angle: those of the strongest shear and rotation.
        shift: side in pixels → pixels of the farthest translation.
        most: difference of the strongest factor from 1.
        bits: number of bits that the strongest posterize drops.
    """

    def signed(value: float) -> Magnitude:
        return lambda s: value * level(s) * sign(s)

    def moved(move: Callable[..., Tensor], axis: int, pixels: Tensor, s: Tensor) -> Tensor:
        """Translate by whole pixels; ``move`` expects a share of the side."""
        side = pixels.shape[axis]
        return move(pixels, (shift(side) * level(s)).trunc() * sign(s) / side, _BLACK)

    return (
        *((operation, _same) for operation in (ops.identity, ops.autocontrast, ops.equalize)),
        *((functools.partial(shear, fill=_BLACK), signed(slope)) for shear in (ops.shear_x, ops.shear_y)),
        *((functools.partial(moved, move, axis), _same) for move, axis in ((ops.translate_x, 2), (ops.translate_y, 1))),
        (functools.partial(ops.rotate, fill=_BLACK), signed(angle)),
        *(
            (operation, lambda s: 1 + most * level(s) * sign(s))
            for operation in (ops.brightness, ops.color, ops.contrast, ops.sharpness)
        ),
        (ops.posterize, lambda s: 8 - (bits * level(s)).round()),
        (ops.solarize, lambda s: 255 * (1 - level(s))),
    )


def _same(s: Tensor) -> Tensor:
    return s


def randaugment(magnitude: int) -> Choices:
    """Operations with one fixed magnitude, 0 to 30 (Cubuk et al. 2020, NeurIPS)."""
    share = magnitude / (BINS - 1)
    return _space(lambda s: torch.full_like(s, share), 0.3, lambda side: 150 / 331 * side, 30.0, 0.9, 4)


def trivialaugment() -> Choices:
    """Operations with a random magnitude, in the wide ranges (Müller and Hutter 2021, ICCV)."""
    # The lower half of the numbers gives one sign, the upper half the other.
    return _space(lambda s: ((2 * s) % 1 * BINS).floor().clamp_max(BINS - 1) / (BINS - 1), 0.99, lambda side: 32, 135.0, 0.99, 6)


def changes_of(recipe: Recipe) -> list[Change]:
    """The changes that ``recipe`` makes to a cropped and flipped picture, in order."""
    changes: list[Change] = []
    if any(recipe.jitter):
        changes.append(functools.partial(jitter, strengths=recipe.jitter))
    if recipe.policy == "randaugment":
        choices = randaugment(recipe.policy_magnitude)
        changes.append(functools.partial(policy, choices=choices, rounds=recipe.policy_operations))
    elif recipe.policy == "trivialaugment":
        changes.append(functools.partial(policy, choices=trivialaugment(), rounds=1))
    return changes
