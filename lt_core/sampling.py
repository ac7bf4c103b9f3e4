"""Which image goes into which batch: the order of one epoch."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from lt_core.parts import Part, part


class Sampling(Part):
    """Draws the images of one epoch."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator) -> Tensor:
        """Positions into the training subset, in the order of use.

        Args:
            labels: [N] int64 label of each training image, on the generator's device.
            counts: [C] class sizes.
        """
        raise NotImplementedError


@part("sampling", "instance")
class Instance(Sampling):
    """Every image once, shuffled."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator) -> Tensor:
        return torch.randperm(len(labels), generator=generator, device=labels.device)


@part("sampling", "class_balanced")
class ClassBalanced(Sampling):
    """Over-sampling: N draws with replacement, every class as likely as another (weight 1/n_y an image)."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator) -> Tensor:
        weights = (1.0 / counts.to(labels.device))[labels]
        return torch.multinomial(weights, len(labels), replacement=True, generator=generator)


@part("sampling", "under")
class Under(Sampling):
    """Under-sampling: as many images of each class as the smallest has, drawn afresh each epoch, without replacement."""

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator) -> Tensor:
        shuffled = torch.randperm(len(labels), generator=generator, device=labels.device)
        by_class = shuffled[torch.argsort(labels[shuffled], stable=True)]
        sizes = torch.bincount(labels, minlength=len(counts))
        place = torch.arange(len(labels), device=labels.device) - (sizes.cumsum(0) - sizes)[labels[by_class]]
        kept = by_class[place < sizes.min()]
        return kept[torch.randperm(len(kept), generator=generator, device=labels.device)]
