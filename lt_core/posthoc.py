"""Corrections of a trained model's predictions by the class prior of its training subset."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from lt_core.fields import param
from lt_core.losses.base import Loss
from lt_core.parts import Part, part


class Posthoc(Part):
    """Turns test logits into class probabilities."""

    @abstractmethod
    def probabilities(self, logits: Tensor, loss: Loss, counts: Tensor) -> Tensor:
        """[B, C]; the prediction is their argmax. ``counts``: [C] training class sizes."""


@part("posthoc", "none")
class NoPosthoc(Posthoc):
    """The prediction of the loss, unchanged."""

    def probabilities(self, logits: Tensor, loss: Loss, counts: Tensor) -> Tensor:
        return loss.probabilities(logits)


@part("posthoc", "prior_division")
class PriorDivision(Posthoc):
    """Threshold moving: p_c / π_c^τ, renormalised. Computed in logarithms, so that no class underflows."""

    posthoc_tau: float = param(1.0, "power τ of the prior; 0: no correction", low=0)

    def probabilities(self, logits: Tensor, loss: Loss, counts: Tensor) -> Tensor:
        if self.posthoc_tau == 0:
            return loss.probabilities(logits)
        prior = torch.log(counts / counts.sum()).to(logits)
        return (loss.log_probabilities(logits) - self.posthoc_tau * prior).softmax(dim=1)


@part("posthoc", "logit_adjustment")
class LogitAdjustment(Posthoc):
    """argmax of z − τ·log π (Menon et al. 2021, Eq. 9). With a softmax and τ = 1 it agrees with `PriorDivision`."""

    posthoc_tau: float = param(1.0, "strength τ of the correction; 0: no correction", low=0, tune=(0.5, 1.0, 1.5, 2.0))

    def probabilities(self, logits: Tensor, loss: Loss, counts: Tensor) -> Tensor:
        return loss.probabilities(logits - self.posthoc_tau * torch.log(counts / counts.sum()).to(logits))
