"""What a reference is, the random cases on which it is compared with a method, and the test of whether two results agree."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: The largest difference that is allowed, as a share of the largest number in the row.
TOLERANCE = 1e-5
BATCH, WIDTH = 8, 6


@dataclass(frozen=True)
class Case:
    """A random case. Two cases with the same ``classes`` and ``seed`` are equal."""

    classes: int
    seed: int

    @functools.cached_property
    def counts(self) -> list[int]:
        """Long-tailed class sizes in random order, so that a method cannot rely on the first class being the largest."""
        draw = random.Random(f"counts {self.classes} {self.seed}")
        largest, factor = draw.randint(60, 200), draw.uniform(10, 60)
        sizes = [max(1, int(largest * factor ** (-c / (self.classes - 1)) * draw.uniform(0.9, 1.0))) for c in range(self.classes)]
        draw.shuffle(sizes)
        return sizes

    @functools.cached_property
    def labels(self) -> list[int]:
        """Labels of a batch: the largest class, the smallest, and others."""
        draw = random.Random(f"labels {self.classes} {self.seed}")
        ends = [self.counts.index(max(self.counts)), self.counts.index(min(self.counts))]
        return ends + [draw.randrange(self.classes) for _ in range(BATCH - 2)]

    def _generator(self, salt: int) -> torch.Generator:
        return torch.Generator().manual_seed(1000 * self.seed + 10 * self.classes + salt)

    @property
    def logits(self) -> Tensor:
        """Float64 [B, C], with another scale for each seed. Half of the images are clearly right, as in late training."""
        made = torch.randn(BATCH, self.classes, generator=self._generator(1), dtype=torch.float64) * (0.5 + self.seed)
        for image, label in enumerate(self.labels):
            made[image, label] += 4.0 * (image % 2)
        return made

    @property
    def cosines(self) -> Tensor:
        """Float64 [B, C] in (−1, 1), on both sides of the decision boundary."""
        made = torch.rand(BATCH, self.classes, generator=self._generator(2), dtype=torch.float64) * 1.6 - 0.9
        for image, label in enumerate(self.labels):
            if image % 2:
                made[image, label] = 0.9
        return made

    @property
    def features(self) -> Tensor:
        """Float64 [B, width], not negative, as after a ReLU."""
        return torch.rand(BATCH, WIDTH, generator=self._generator(3), dtype=torch.float64) * 2


#: Compares our method with the reference for a case, and raises AssertionError if they differ.
Check = Callable[[Case], None]


@dataclass(frozen=True)
class Reference:
    """The source with which a method is compared, and the ways in which the method differs from it on purpose.

    Args:
        method: name of a registered method.
        source: ``owner/repository path @ commit`` that was read, or the paper's equation if there is no public code.
        agrees_on: what the tests compare, as the object of a sentence: docs/fidelity.md has "The tests compare …".
        check: the comparison; None if tests in other files make it, which ``agrees_on`` then names.
        deviations: (what our code and the source do, why ours differs) for each difference, both as whole sentences.
        tolerance: how closely both must agree, as the end of a sentence: docs/fidelity.md has "The tolerance is …".
    """

    method: str
    source: str
    agrees_on: str
    check: Check | None
    deviations: Sequence[tuple[str, str]] = ()
    tolerance: str = "1e-5"


def agree(ours: Tensor | float | Sequence, theirs: Tensor | float | Sequence, what: str, tolerance: float = TOLERANCE) -> None:
    """Raise AssertionError unless both are finite, have the same shape, and differ in no row by more than ``tolerance`` times the
    largest number in the row of ``theirs``.
    """
    a, b = (torch.as_tensor(x).detach().double() for x in (ours, theirs))
    assert a.shape == b.shape, f"{what}: {tuple(a.shape)} against {tuple(b.shape)}"
    assert a.isfinite().all() and b.isfinite().all(), f"{what}: not finite"
    scale = b.abs().amax(dim=-1, keepdim=True) if b.ndim else b.abs()
    worst = ((a - b).abs() - tolerance * scale).max()
    assert worst <= 1e-12, f"{what}: ours {a.tolist()} against {b.tolist()}"[:2000]
