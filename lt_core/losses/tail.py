"""Losses that protect tail classes from suppression by head images, or require less confidence for the head."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.fields import param
from lt_core.losses.base import EveryLossFn, Loss, LossFn
from lt_core.parts import part


@part("loss", "seql")
class SoftmaxEqualization(Loss):
    """−log(e^z_y / Σ_k w_k·e^z_k), w_k = 1 − β·T_λ(f_k)·(1 − [k = y]) (Tan et al. 2020, CVPR, Eq. 8 to 10).

    A class with a frequency f_k = n_k/N below λ (T_λ = 1) is not suppressed by images of other classes while β = 1. The paper
    samples β, which is 1 with probability γ and 0 otherwise. This implementation uses the expectation over one β per image,
    γ·L(β=1) + (1 − γ)·L(β=0), which has the same mean gradient without noise. If λ exceeds every frequency, L(β=1) is 0 and
    (1 − γ) times cross-entropy remains. Public code (zhangyongshun/BagofTricks-LT, equalization_loss.py) samples one β per image
    *and class*, which has a different expectation: nearly every image then protects some rare classes and suppresses others.
    """

    seql_gamma: float = param(
        0.9,
        "γ: probability with which rare classes are protected; at 0 the loss is cross-entropy",
        low=0,
        high=1,
        tune=(0.5, 0.9, 0.99),
    )
    seql_lambda: float | None = param(
        None, "λ: frequency n_c/N below which a class counts as rare; none: 1/(2C), which is 0.05 for ten classes", low=0, high=1
    )

    def rare(self, counts: Tensor) -> Tensor:
        """T_λ(f_c) for class sizes ``counts``: [C] bool."""
        return counts / counts.sum() < (0.5 / len(counts) if self.seql_lambda is None else self.seql_lambda)

    def bind(self, counts: Tensor) -> LossFn:
        rare = self.rare(counts)

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            plain = F.cross_entropy(logits, labels, reduction="none")
            if self.seql_gamma == 0:
                return plain
            ignored = rare.to(logits.device).expand_as(logits).scatter(1, labels[:, None], False)
            spared = F.cross_entropy(logits.masked_fill(ignored, -math.inf), labels, reduction="none")
            return self.seql_gamma * spared + (1 - self.seql_gamma) * plain

        return loss

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        rare = self.rare(counts)

        def every(logits: Tensor, weights: Tensor) -> Tensor:
            plain = -logits.log_softmax(dim=1)
            if self.seql_gamma == 0:
                return plain
            hidden = rare.to(logits.device)
            pushing = logits.masked_fill(hidden, -math.inf).logsumexp(dim=1, keepdim=True)
            spared = torch.where(hidden, F.softplus(pushing - logits), pushing - logits)
            return self.seql_gamma * spared + (1 - self.seql_gamma) * plain

        return every


@part("loss", "cdt")
class ClassDependentTemperatures(Loss):
    """−log softmax(z_c/a_c)_y with a_c = (n_max/n_c)^γ (Ye et al. 2020, arXiv 2001.01385). Predictions use the plain logits.

    Rare classes need larger logits in training, which compensates for the shift of their features between training and test.
    """

    cdt_gamma: float = param(0.1, "exponent γ; at 0 the loss is cross-entropy", low=0, tune=(0.05, 0.1, 0.2, 0.3))

    def temperatures(self, counts: Tensor) -> Tensor:
        """a_c for class sizes ``counts``: [C]."""
        return (counts.max() / counts) ** self.cdt_gamma

    def bind(self, counts: Tensor) -> LossFn:
        temperatures = self.temperatures(counts)
        return lambda logits, labels: F.cross_entropy(logits / temperatures.to(logits), labels, reduction="none")

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        temperatures = self.temperatures(counts)
        return lambda logits, weights: -(logits / temperatures.to(logits)).log_softmax(dim=1)


@part("loss", "label_aware_smoothing")
class LabelAwareSmoothing(Loss):
    """−(1 − ε_y)·log p_y − ε_y/(C − 1)·Σ_{c≠y} log p_c (MiSLAS: Zhong et al. 2021, CVPR, section 3.2).

    ε_c = ε_K + (ε_1 − ε_K)·sin(π(n_c − n_K)/(2(n_1 − n_K))), the concave form, from ε_1 for the largest class, n_1, to ε_K for
    the smallest, n_K: larger classes are smoothed more, because the network is more confident about them. If all classes have the
    same size, all use ε_1.
    This is the paper's formula. Its code (dvlab-research/MiSLAS, methods.py) spreads ε over all C classes including the label,
    which therefore keeps 1 − ε + ε/C; this equals the paper's loss at ε·(C − 1)/C.
    """

    smooth_head: float = param(0.3, "smoothing ε_1 of the largest class", low=0, below=1, tune=(0.2, 0.3, 0.4))
    smooth_tail: float = param(
        0.0, "smoothing ε_K of the smallest class; if both are 0, the loss is cross-entropy", low=0, below=1, tune=(0.0, 0.1)
    )

    def smoothing(self, counts: Tensor) -> Tensor:
        """ε_c for class sizes ``counts``: [C]."""
        above, span = counts - counts.min(), counts.max() - counts.min()
        place = above / span if span > 0 else torch.ones_like(counts)
        return self.smooth_tail + (self.smooth_head - self.smooth_tail) * torch.sin(place * (math.pi / 2))

    def bind(self, counts: Tensor) -> LossFn:
        smoothing = self.smoothing(counts)

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            if self.smooth_head == self.smooth_tail == 0:
                return F.cross_entropy(logits, labels, reduction="none")
            epsilon, column, log_p = smoothing.to(logits)[labels], labels[:, None], logits.log_softmax(dim=1)
            others = log_p.scatter(1, column, 0.0).sum(dim=1) / (len(counts) - 1)
            return -(1 - epsilon) * log_p.gather(1, column)[:, 0] - epsilon * others

        return loss

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        smoothing = self.smoothing(counts)

        def every(logits: Tensor, weights: Tensor) -> Tensor:
            epsilon, log_p = smoothing.to(logits), logits.log_softmax(dim=1)
            others = (log_p.sum(dim=1, keepdim=True) - log_p) / (len(counts) - 1)
            return -(1 - epsilon) * log_p - epsilon * others

        return every
