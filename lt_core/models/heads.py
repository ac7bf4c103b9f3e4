"""Heads: classifiers on top of the features."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.fields import param
from lt_core.parts import Part, part


class Head(Part):
    """Builds the last layer."""

    captured: ClassVar[bool] = True  # values that change from step to step are in buffers

    @abstractmethod
    def build(self, width: int, classes: int) -> nn.Module:
        """A module from features [B, width] to outputs [B, classes].

        In training, a module with the attribute ``takes_labels`` also gets the labels [B].
        """


def initialise(classifier: nn.Module, initialisation: str) -> nn.Module:
    """Initialise the linear layers of ``classifier`` as a recipe's ``head_init`` says; ``he`` leaves them as heads build them."""
    for layer in classifier.modules():
        if initialisation == "he" or not isinstance(layer, nn.Linear):
            continue
        if initialisation == "pytorch":
            layer.reset_parameters()
        else:
            if initialisation == "small":
                nn.init.normal_(layer.weight, std=0.01)
            else:
                nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return classifier


@part("head", "linear")
class LinearHead(Head):
    """W·x + b."""

    def build(self, width: int, classes: int) -> nn.Module:
        layer = nn.Linear(width, classes)
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer


class TwoClassifiers(nn.Module):
    """An auxiliary classifier, which predicts, and a main one, which trains the features."""

    def __init__(self, main: nn.Module, auxiliary: nn.Module) -> None:
        super().__init__()
        self.main, self.auxiliary = main, auxiliary

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.auxiliary(features)
        return out


@part("head", "auxiliary")
class AuxiliaryHead(Head):
    """Two linear classifiers on the same features; the second one is evaluated (Lee et al. 2021, NeurIPS, section 3.1)."""

    def build(self, width: int, classes: int) -> nn.Module:
        return TwoClassifiers(*(LinearHead().build(width, classes) for _ in range(2)))


class CosineLinear(nn.Module):
    """cos(x, w_c) for every class, in float32, because under autocast the normalisation of a small feature would underflow."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.empty(classes, width).uniform_(-1, 1), dim=1))

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return F.normalize(features.float(), dim=1) @ F.normalize(self.weight.float(), dim=1).T


@part("head", "cosine")
class CosineHead(Head):
    """Cosines between features and class weights, without bias (Cao et al. 2019; Wang et al. 2018)."""

    def build(self, width: int, classes: int) -> nn.Module:
        return CosineLinear(width, classes)


def angular_margin(cosines: Tensor, m: int) -> Tensor:
    """ψ(θ) = (−1)^k·cos(mθ) − 2k for θ in [kπ/m, (k+1)π/m], of cos θ (Liu et al. 2016, Eq. 6).

    cos(mθ) is the Chebyshev polynomial T_m(cos θ), and k counts the cos(jπ/m) that cos θ does not exceed, so that the gradient of
    acos, which is infinite at ±1, is never needed.
    """
    previous, current, k = torch.ones_like(cosines), cosines, torch.zeros_like(cosines)
    for j in range(1, m):
        previous, current = current, 2 * cosines * current - previous
        k += cosines.detach() <= math.cos(j * math.pi / m)
    return (1 - 2 * (k % 2)) * current - 2 * k


class LargeMarginLinear(nn.Module):
    """W·x, where the output of the label has a margin in training; in float32, like `CosineLinear`."""

    takes_labels = True
    steps: Tensor  # training steps so far, on which λ depends; a buffer, so that checkpoints contain it

    def __init__(self, width: int, classes: int, m: int, strength: float, floor: float) -> None:
        super().__init__()
        self.m, self.strength, self.floor = m, strength, floor
        self.weight = nn.Parameter(torch.empty(classes, width))
        nn.init.kaiming_normal_(self.weight)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            features, weight = features.float(), self.weight.float()
            outputs = features @ weight.T
            if labels is None or not self.training:
                return outputs
            share = torch.clamp(self.strength * 0.99**self.steps, min=self.floor)
            self.steps += 1
            plain = outputs.gather(1, labels[:, None])[:, 0]
            lengths = features.norm(dim=1) * weight.norm(dim=1)[labels]
            bent = lengths * angular_margin(plain / lengths.clamp_min(1e-12), self.m)
            return outputs.scatter(1, labels[:, None], ((share * plain + bent) / (1 + share))[:, None])


@part("head", "large_margin")
class LargeMarginHead(Head):
    """Large-margin softmax (Liu et al. 2016, ICML, Eq. 5 to 7): W·x without bias; in training the output of the label is
    (λ·‖w‖‖x‖·cos θ + ‖w‖‖x‖·ψ(θ))/(1 + λ), with ψ ≤ cos in `angular_margin`. λ decreases by a hundredth per step, so that the
    network starts as a plain one. Use it with the softmax loss.
    """

    lm_margin: int = param(2, "m: factor on the angle; 1: no margin", low=1, high=4, tune=(2, 3, 4))
    lm_lambda: float = param(100.0, "λ at the first training step", low=0)
    lm_lambda_min: float = param(5.0, "smallest λ", low=0)

    @property
    def whole_batch(self) -> str:
        return "counts its steps by batches"

    def build(self, width: int, classes: int) -> nn.Module:
        return LargeMarginLinear(width, classes, self.lm_margin, self.lm_lambda, self.lm_lambda_min)
