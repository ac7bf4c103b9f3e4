"""Classifiers on top of the features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.parts import Part, part


class Head(Part):
    """Builds the last layer."""

    def build(self, width: int, classes: int) -> nn.Module:
        """A module from features [B, width] to outputs [B, classes].

        A module with the attribute ``takes_labels`` is called in training with the labels [B] as well.
        """
        raise NotImplementedError


@part("head", "linear")
class LinearHead(Head):
    """W·x + b."""

    def build(self, width: int, classes: int) -> nn.Module:
        layer = nn.Linear(width, classes)
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer


class CosineLinear(nn.Module):
    """cos(x, w_c) for every class, in float32: under autocast the normalisation of a small feature would underflow."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.empty(classes, width).uniform_(-1, 1), dim=1))

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return F.normalize(features.float(), dim=1) @ F.normalize(self.weight.float(), dim=1).T


@part("head", "cosine")
class CosineHead(Head):
    """Cosines between features and class weights, no bias (Cao et al. 2019; Wang et al. 2018)."""

    def build(self, width: int, classes: int) -> nn.Module:
        return CosineLinear(width, classes)
