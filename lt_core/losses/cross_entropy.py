"""Cross-entropy over softmax and over sigmoids, focal loss, and logit adjustment during training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.fields import param
from lt_core.losses.base import EveryLossFn, Loss, LossFn, WeightedLossFn
from lt_core.parts import part


@part("loss", "softmax")
class Softmax(Loss):
    """−log softmax(z)_y."""

    def bind(self, counts: Tensor) -> LossFn:
        return lambda logits, labels: F.cross_entropy(logits, labels, reduction="none")

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        return lambda logits, weights: -logits.log_softmax(dim=1)


def _signs(logits: Tensor, labels: Tensor) -> Tensor:
    """+1 in the column of the label, −1 elsewhere: [B, C]."""
    return torch.full_like(logits, -1).scatter_(1, labels[:, None], 1)


class _OneVersusAll(Loss):
    prior_bias = True

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def log_probabilities(self, logits: Tensor) -> Tensor:
        return F.logsigmoid(logits)


@part("loss", "sigmoid")
class Sigmoid(_OneVersusAll):
    """Σ_c log(1 + exp(−z_c^t)), with z^t = z for the label and −z for the other classes (Cui et al. 2019, Eq. 12)."""

    def bind(self, counts: Tensor) -> LossFn:
        return lambda logits, labels: -F.logsigmoid(_signs(logits, labels) * logits).sum(dim=1)

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        return lambda logits, weights: F.softplus(logits).sum(dim=1, keepdim=True) - logits


@part("loss", "focal")
class Focal(_OneVersusAll):
    """Σ_c (1 − p_c^t)^γ · −log p_c^t over sigmoids (Lin et al. 2017; Cui et al. 2019, Eq. 13).

    (1 − p^t)^γ = exp(γ · log σ(−z^t)) never takes the logarithm of a number that has underflowed, nor a power
    of an exact zero, so that gradients stay finite at any logit.
    """

    gamma: float = param(1.0, "focusing parameter γ; at 0 the loss is sigmoid cross-entropy", low=0, tune=(0.5, 1.0, 2.0))

    def bind(self, counts: Tensor) -> LossFn:
        return lambda logits, labels: self._binary(_signs(logits, labels) * logits).sum(dim=1)

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        def every(logits: Tensor, weights: Tensor) -> Tensor:
            wrong = self._binary(-logits)
            return wrong.sum(dim=1, keepdim=True) - wrong + self._binary(logits)

        return every

    def _binary(self, signed: Tensor) -> Tensor:
        """The loss of each binary decision, by z^t."""
        return -F.logsigmoid(signed) * torch.exp(self.gamma * F.logsigmoid(-signed))


@part("loss", "focal_softmax")
class FocalSoftmax(Loss):
    """(1 − p_y)^γ · −log p_y with p = softmax(z): the variant that many repositories call focal loss.

    An image weight w can enter in two ways. Lin et al. 2017 weight the modulated loss, w·(1 − p_y)^γ·−log p_y.
    `FocalLoss` of LDAM-DRW modulates the weighted loss: with v = w·−log p_y it is (1 − e^(−v))^γ·v, averaged over the images of a
    batch. ``focal_on`` selects the variant; without weights they are the same.
    """

    gamma: float = param(1.0, "focusing parameter γ; at 0 the loss is softmax cross-entropy", low=0, tune=(0.5, 1.0, 2.0))
    focal_on: str = param(
        "cross_entropy",
        "input of the modulating factor: the cross-entropy (Lin et al. 2017) or its product with the weight (code of LDAM-DRW)",
        choices=("cross_entropy", "weighted_cross_entropy"),
    )

    def bind(self, counts: Tensor) -> LossFn:
        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            nll = F.cross_entropy(logits, labels, reduction="none")
            return nll if self.gamma == 0 else nll * self._modulator(nll)

        return loss

    def bind_weighted(self, counts: Tensor) -> WeightedLossFn:
        if self.focal_on == "cross_entropy" or self.gamma == 0:
            return super().bind_weighted(counts)

        def loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
            nll = F.cross_entropy(logits, labels, reduction="none")
            return nll * self._modulator(weights * nll)

        return loss

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        def every(logits: Tensor, weights: Tensor) -> Tensor:
            nll = -logits.log_softmax(dim=1)
            if self.gamma == 0:
                return nll
            return nll * self._modulator(nll if self.focal_on == "cross_entropy" else weights[:, None] * nll)

        return every

    def _modulator(self, nll: Tensor) -> Tensor:
        """(1 − e^(−nll))^γ."""
        # The clamp keeps the slope of (1 − p)^γ finite where p rounds to 1; there the factor −log p is 0 anyway.
        return torch.exp(self.gamma * torch.log(-torch.expm1(-nll.clamp_min(1e-6))))


@part("loss", "logit_adjusted")
class LogitAdjusted(Loss):
    """−log softmax(z + τ·log π)_y, with π the class frequencies of the training subset.

    Logit adjustment (Menon et al. 2021, Eq. 10), bias compensation; τ = 1 is Balanced Softmax (Ren et al. 2020,
    Eq. 4). Predictions use the plain logits.
    """

    tau: float = param(1.0, "strength τ of the prior; at 0 the loss is cross-entropy", low=0, tune=(0.5, 1.0, 1.5, 2.0))

    def bind(self, counts: Tensor) -> LossFn:
        shift = self.tau * torch.log(counts / counts.sum())
        return lambda logits, labels: F.cross_entropy(logits + shift.to(logits), labels, reduction="none")

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        shift = self.tau * torch.log(counts / counts.sum())
        return lambda logits, weights: -(logits + shift.to(logits)).log_softmax(dim=1)
