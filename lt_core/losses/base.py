"""The base class of losses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from lt_core.parts import Part

#: (network outputs [B, C] float, labels [B] int64) → loss of each image [B].
LossFn = Callable[[Tensor, Tensor], Tensor]
#: (network outputs [B, C] float, labels [B] int64, weight of each image [B]) → loss of each image, before its weight [B].
WeightedLossFn = Callable[[Tensor, Tensor, Tensor], Tensor]

#: (network outputs [B, C] float, weight of each image [B]) → loss of each image for each label, before its weight [B, C].
EveryLossFn = Callable[[Tensor, Tensor], Tensor]


class Loss(Part):
    """One loss per training image; weighting and averaging happen elsewhere (see `lt_core.weights`)."""

    #: Start from the bias −log(C−1), at which a sigmoid gives every class probability 1/C, and do not decay it
    #: (Cui et al. 2019, section 5.1).
    prior_bias: ClassVar[bool] = False
    captured: ClassVar[bool] = True  # losses are functions of tensors

    @abstractmethod
    def bind(self, counts: Tensor) -> LossFn:
        """The loss for training class sizes ``counts`` ([C], float64)."""

    def bind_weighted(self, counts: Tensor) -> WeightedLossFn:
        """Like `bind`, for a loss that also depends on the weight of each image; most do not.

        The result is the loss of each image per unit of weight: the caller still multiplies it by the weight.
        """
        loss = self.bind(counts)
        return lambda outputs, labels, weights: loss(outputs, labels)

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        """The loss of each image for every possible label. A loss with a faster form overrides this."""
        weighted = self.bind_weighted(counts)

        def every(outputs: Tensor, weights: Tensor) -> Tensor:
            images, classes = outputs.shape
            labels = torch.arange(classes, device=outputs.device).repeat(images)
            loss = weighted(outputs.repeat_interleave(classes, dim=0), labels, weights.repeat_interleave(classes))
            return loss.view(images, classes)

        return every

    def logits(self, outputs: Tensor) -> Tensor:
        """The test-time logits of the network's ``outputs``: the outputs themselves, unless the loss scales cosines."""
        return outputs

    def probabilities(self, logits: Tensor) -> Tensor:
        """Class probabilities of test-time logits, [B, C]: their softmax, unless the loss is a sum of binary losses."""
        return logits.softmax(dim=1)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """The logarithms of `probabilities`, computed without underflow."""
        return logits.log_softmax(dim=1)
