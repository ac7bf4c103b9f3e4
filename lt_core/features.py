"""The output of a trained network on images, without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from lt_core.data.loader import Images
from lt_core.protocols import Predictor

T = TypeVar("T")
BATCH = 500  # images; larger batches do not fit into a CPU's cache, and for a GPU the whole set is small
PIXELS = 2**19  # images × height × width of a batch, so that a network's maps of photographs fit into memory


@torch.no_grad()
def batch_by_batch(predictor: Predictor, images: Images, say: Callable[[Tensor, Tensor], T]) -> Iterator[T]:
    """``say(outputs, features)`` for each batch of unaugmented ``images``, in order, by the network in its current state."""
    net, pixels = predictor.evaluated, images.pixels
    net.eval()
    height, width, _ = predictor.batches.shape
    at_once = min(BATCH, max(1, PIXELS // (height * width)))
    for start in range(0, len(pixels), at_once):
        yield say(*predictor.forward(predictor.batches.for_evaluation(pixels[start : start + at_once]), net=net))


def by_batches(predictor: Predictor, images: Images, say: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The results of `batch_by_batch` for all ``images``, in one tensor."""
    return torch.cat(list(batch_by_batch(predictor, images, say)))


def features_of(predictor: Predictor, images: Images) -> Tensor:
    """Features of ``images``: float32 [N, width]."""
    return by_batches(predictor, images, lambda outputs, features: features)


def seen_of(predictor: Predictor, images: Images) -> tuple[Tensor, Tensor]:
    """The results of `probabilities_of` [N, C] and `features_of` [N, width] for ``images``, in one pass."""
    say = _probabilities(predictor)
    pairs = list(batch_by_batch(predictor, images, lambda outputs, features: (say(outputs, features), features)))
    probabilities, features = zip(*pairs, strict=True)
    return torch.cat(probabilities), torch.cat(features)


def probabilities_of(predictor: Predictor, images: Images) -> Tensor:
    """Class probabilities of ``images`` after the loss's link and the method's post-hoc correction: [N, C]."""
    return torch.cat(list(probability_batches(predictor, images)))


def probability_batches(predictor: Predictor, images: Images) -> Iterator[Tensor]:
    """`probabilities_of` batch by batch, for when they are not all needed at once: 24,000 images of 8,000 classes take 800 MB."""
    return batch_by_batch(predictor, images, _probabilities(predictor))


def _probabilities(predictor: Predictor) -> Callable[[Tensor, Tensor], Tensor]:
    """(outputs, features) of a batch → its class probabilities."""

    def say(outputs: Tensor, features: Tensor) -> Tensor:
        logits = predictor.loss.logits(outputs)
        return predictor.posthoc.probabilities(logits, predictor.loss, predictor.split.counts)

    return say
