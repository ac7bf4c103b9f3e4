"""What a trained network says of images, without augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lt_core.data.loader import Images

if TYPE_CHECKING:
    from lt_core.training.loop import Training

BATCH = 500  # images; on a CPU larger batches fall out of the cache, on a GPU the set is small anyway


@torch.no_grad()
def by_batches(training: Training, images: Images | Tensor, say: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """``say(outputs, features)`` of all ``images`` (or their pixels), in order, by the network as it stands."""
    net, pixels = training.evaluated, images.pixels if isinstance(images, Images) else images
    net.eval()
    made = [
        say(*training.forward(training.batches.normalise(pixels[start : start + BATCH]), net=net))
        for start in range(0, len(pixels), BATCH)
    ]
    return torch.cat(made)


def features_of(training: Training, images: Images | Tensor) -> Tensor:
    """Features of ``images``: float32 [N, width]."""
    return by_batches(training, images, lambda outputs, features: features)


def probabilities_of(training: Training, images: Images | Tensor) -> Tensor:
    """Class probabilities of ``images`` after the loss's link and the method's post-hoc correction: [N, C]."""

    def say(outputs: Tensor, features: Tensor) -> Tensor:
        logits = training.loss.logits(outputs)
        return training.posthoc.probabilities(logits, training.loss, training.split.counts)

    return by_batches(training, images, say)
