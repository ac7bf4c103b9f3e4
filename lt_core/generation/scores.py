"""Scores of generated images by a judge trained on real ones: whether they are recognised as their class, how far their features
are from those of real images, and whether they are more than copies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOST = 1_000  # made images of a class that are scored
_AT_ONCE = 256  # images whose distances to all others lie in memory


@dataclass(frozen=True)
class Judge:
    """A classifier trained on balanced real images (for "inception accuracy" the paper fine-tunes an Inception network so).

    Attributes:
        say: images uint8 [N, H, W, channels] → class probabilities [N, C] and features [N, width].
        accuracy: of the judge on the real test images, 0…1: an upper limit to how much its other figures mean.
        about: what it is, in words.
    """

    say: Callable[[Tensor], tuple[Tensor, Tensor]]
    accuracy: float
    about: str


def scores(made: Tensor, label: int, trained_on: Tensor, unseen: Tensor, judge: Judge) -> dict[str, Any]:
    """Figures of images ``made`` for class ``label``, all uint8 [N, H, W, channels].

    Args:
        trained_on: the real images of the class that the generator learnt from.
        unseen: real images of the class that it did not learn from.
    """
    probabilities, features = judge.say(made)
    _, real = judge.say(unseen)
    return {
        "images": len(made),
        "unseen": len(unseen),
        "inception_accuracy": float((probabilities.argmax(1) == label).double().mean()),
        "judge_accuracy": judge.accuracy,
        "judge": judge.about,
        "kid": kernel_distance(features, real),
        "near_copies": near_copies(made, trained_on, unseen),
    }


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Squared maximum mean discrepancy of features [N, width] and [M, width], without bias: the kernel inception distance of
    Bińkowski et al. 2018 (ICLR), section 3, with its kernel (x·y / width + 1)³. NaN for fewer than two of either.

    Unlike Fréchet's distance it has no bias at small numbers. It can be a little below 0 where both are alike.

    >>> same = torch.tensor([[1.0], [1.0], [1.0]])
    >>> kernel_distance(same, same), kernel_distance(same, same + 1)  # kernels 2³, 3³ and 5³
    (0.0, 79.0)
    """
    n, m = len(x), len(y)
    if min(n, m) < 2:
        return float("nan")
    x, y = x.double(), y.double()
    return float(_within(x) + _within(y) - 2 * _kernel(x, y).mean())


def _within(x: Tensor) -> Tensor:
    """Mean kernel of two different ones of ``x`` [N, width]."""
    kernel = _kernel(x, x)
    return (kernel.sum() - kernel.diagonal().sum()) / (len(x) * (len(x) - 1))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    out: Tensor = (x @ y.T / x.shape[1] + 1) ** 3
    return out


def near_copies(made: Tensor, trained_on: Tensor, unseen: Tensor) -> float:
    """Share of ``made`` images that lie nearer to an image of ``trained_on`` than any real ``unseen`` image does (Euclidean
    distance of pixels): a generator that draws its class afresh comes as near as reality does, and hardly nearer.

    >>> trained_on, unseen = torch.zeros(1, 2, 2, 1), torch.full((3, 2, 2, 1), 10)
    >>> near_copies(torch.stack([trained_on[0] + 1, trained_on[0] + 20]), trained_on, unseen)
    0.5
    """
    if not len(made) or not len(unseen) or not len(trained_on):
        return float("nan")
    return float((nearest(made, trained_on) < nearest(unseen, trained_on).min()).double().mean())


def nearest(images: Tensor, others: Tensor) -> Tensor:
    """Euclidean distance of each of ``images`` [N, …] to the nearest of ``others`` [M, …]: float64 [N]."""
    flat = others.flatten(1).double()
    parts = [torch.cdist(part.flatten(1).double(), flat).min(dim=1).values for part in images.split(_AT_ONCE)]
    return torch.cat(parts)
