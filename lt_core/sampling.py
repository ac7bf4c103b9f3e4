"""Sampling: the order of the images in an epoch."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Generator, Tensor

from lt_core.parts import Part, part


class Sampling(Part):
    """Draws the images of one epoch."""

    @abstractmethod
    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        """Positions into the training subset, in the order of use.

        Args:
            labels: [N] int64 label of each training image, on the generator's device.
            counts: [C] class sizes.
            progress: fraction of the rebalanced epochs that have passed, 0 in the first and 1 in the last.
        """


@part("sampling", "instance")
class Instance(Sampling):
    """Every image once, shuffled."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        return torch.randperm(len(labels), generator=generator, device=labels.device)


class _Weighted(Sampling):
    """Draws N images with replacement; ``image_weights`` gives the relative probability of an image of each class."""

    @abstractmethod
    def image_weights(self, counts: Tensor, progress: float) -> Tensor:
        """Probability of an image of each class, up to a factor: [C]."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        weights = self.image_weights(counts.to(labels.device), progress)[labels]
        return torch.multinomial(weights, len(labels), replacement=True, generator=generator)


@part("sampling", "class_balanced")
class ClassBalanced(_Weighted):
    """Over-sampling: all classes are equally likely (weight 1/n_y per image); called "mean" in Bi-Sampling."""

    def image_weights(self, counts: Tensor, progress: float) -> Tensor:
        return 1.0 / counts


@part("sampling", "square_root")
class SquareRoot(_Weighted):
    """Class probability proportional to the square root of the class size (Kang et al. 2020, section 4.1, q = 1/2)."""

    def image_weights(self, counts: Tensor, progress: float) -> Tensor:
        return counts**-0.5


@part("sampling", "reverse")
class Reverse(_Weighted):
    """Class probability ∝ 1/n_c (weight 1/n_y² per image): the re-balancing branch of BBN (Zhou et al. 2020)."""

    def image_weights(self, counts: Tensor, progress: float) -> Tensor:
        return counts**-2.0


@part("sampling", "progressive")
class Progressive(_Weighted):
    """Class probability (1 − t)·n_c/N + t/C, with t from 0 to 1 over training (Kang et al. 2020, Eq. 2)."""

    def image_weights(self, counts: Tensor, progress: float) -> Tensor:
        return (1 - progress) / counts.sum() + progress / (len(counts) * counts)


@part("sampling", "parabolic")
class Parabolic(_Weighted):
    """Class probability (1 − t²)·n_c/N + t²/C, with t from 0 to 1 over training (the single-run variant of He et al. 2021)."""

    def image_weights(self, counts: Tensor, progress: float) -> Tensor:
        return Progressive().image_weights(counts, progress**2)


def balanced_part(labels: Tensor, classes: int, generator: Generator) -> Tensor:
    """Positions of as many images of each class as the smallest class has, without replacement, in random order."""
    shuffled = torch.randperm(len(labels), generator=generator, device=labels.device)
    by_class = shuffled[torch.argsort(labels[shuffled], stable=True)]
    sizes = torch.bincount(labels, minlength=classes)
    place = torch.arange(len(labels), device=labels.device) - (sizes.cumsum(0) - sizes)[labels[by_class]]
    kept = by_class[place < sizes.min()]
    return kept[torch.randperm(len(kept), generator=generator, device=labels.device)]


@part("sampling", "under")
class Under(Sampling):
    """Under-sampling: from each class as many images as the smallest class has, drawn without replacement in each epoch."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        return balanced_part(labels, len(counts), generator)
