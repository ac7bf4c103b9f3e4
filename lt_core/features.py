"""What a trained network says of images, without augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lt_core.data.loader import Images
from lt_core.protocols import Predictor

BATCH = 500  # images; on a CPU larger batches fall out of the cache, on a GPU the set is small anyway


@torch.no_grad()
def by_batches(predictor: Predictor, images: Images | Tensor, say: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """``say(outputs, features)`` of all ``images`` (or their pixels), in order, by the network as it stands."""
    net, pixels = predictor.evaluated, images.pixels if isinstance(images, Images) else images
    net.eval()
    made = [
        say(*predictor.forward(predictor.batches.normalise(pixels[start : start + BATCH]), net=net))
        for start in range(0, len(pixels), BATCH)
    ]
    return torch.cat(made)


def features_of(predictor: Predictor, images: Images | Tensor) -> Tensor:
    """Features of ``images``: float32 [N, width]."""
    return by_batches(predictor, images, lambda outputs, features: features)


def probabilities_of(predictor: Predictor, images: Images | Tensor) -> Tensor:
    """Class probabilities of ``images`` after the loss's link and the method's post-hoc correction: [N, C]."""

    def say(outputs: Tensor, features: Tensor) -> Tensor:
        logits = predictor.loss.logits(outputs)
        return predictor.posthoc.probabilities(logits, predictor.loss, predictor.split.counts)

    return by_batches(predictor, images, say)
