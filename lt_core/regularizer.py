"""Regularisers: terms that depend on a batch's features and are added to any classification loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from lt_core.fields import param
from lt_core.parts import Part, part

#: (features [B, width] float32, labels [B] int64) → a scalar.
FeatureTerm = Callable[[Tensor, Tensor], Tensor]


class Regularizer(Part):
    """A term added to the mean loss of a batch."""

    beyond_features: ClassVar[str] = "moves features"

    @property
    def whole_batch(self) -> str:
        return "compares the features of a batch"

    @abstractmethod
    def bind(self) -> FeatureTerm | None:
        """The term; None if nothing is added."""


@part("regularizer", "none")
class NoRegularizer(Regularizer):
    """No term."""

    beyond_features: ClassVar[str] = ""
    captured: ClassVar[bool] = True

    @property
    def whole_batch(self) -> str:
        return ""

    def bind(self) -> FeatureTerm | None:
        return None


@part("regularizer", "range")
class Range(Regularizer):
    """λ·(α·intra + β·inter): compact classes with distant centres (range loss: Zhang et al. 2017, ICCV, Eq. 2 to 5).

    intra = Σ_i k / Σ_{j≤k} 1/D_ij over the classes i of the batch, where D_ij is the j-th largest squared distance between two
    images of class i: the harmonic mean of the class's k largest ranges. inter = max(0, M − D_centre), where D_centre is the
    smallest squared distance between two class centres of the batch. A class with one image has no range, a batch with one class
    has no inter term, and a class with fewer than k pairs uses all of its pairs.

    The paper's α = 5e-5, β = 1e-4 and M = 2e4 suit its features, 512 numbers without normalisation; the defaults here suit
    averages of 64 rectified channels.
    """

    range_weight: float = param(1.0, "weight λ of the term; 0: no term", low=0, tune=(0.1, 1.0))
    range_alpha: float = param(1e-4, "weight α of the intra-class range", low=0)
    range_beta: float = param(0.01, "weight β of the inter-class margin", low=0)
    range_margin: float = param(10.0, "M: squared distance that class centres should keep", above=0)
    range_k: int = param(2, "k: number of largest ranges in the harmonic mean", low=1)

    def bind(self) -> FeatureTerm | None:
        if self.range_weight == 0:
            return None
        return lambda features, labels: self.range_weight * self.term(features, labels)

    def term(self, features: Tensor, labels: Tensor) -> Tensor:
        """α·intra + β·inter of one batch."""
        # From differences, not from |a|² − 2ab + |b|², which cancels, and the slope of whose square root is infinite at 0.
        # The sizes of classes come to the host once, so that classes are slices: masks would make it wait for each of them.
        present, members, counts = labels.unique(return_inverse=True, return_counts=True)
        same = members[:, None] == members[None, :]
        squared = (features[:, None, :] - features[None, :, :]).square().sum(dim=2)
        pairs = torch.where(same.triu(diagonal=1), squared, -1.0)
        by_class = members.argsort(stable=True)
        blocks, end = pairs[by_class][:, by_class], 0
        ranges = []
        for size in counts.tolist():
            start, end = end, end + size
            mine = blocks[start:end, start:end].flatten()
            ranges.append(mine.topk(min(self.range_k, len(mine))).values)
        # Equal images have no range, and a mean with 1/0 does not exist.
        numbers: list[int] = torch.stack([(largest > 0).sum() for largest in ranges]).tolist()
        intra = features.new_zeros(())
        for largest, number in zip(ranges, numbers, strict=True):
            if number:
                intra = intra + number / (1 / largest[:number]).sum()
        if len(present) < 2:
            return self.range_alpha * intra
        sums = features.new_zeros(len(present), features.shape[1]).index_add(0, members, features)
        centres: Tensor = sums / counts[:, None]
        between = (centres[:, None, :] - centres[None, :, :]).square().sum(dim=2)
        nearest = between.masked_fill(torch.eye(len(present), dtype=torch.bool, device=features.device), torch.inf).min()
        return self.range_alpha * intra + self.range_beta * (self.range_margin - nearest).relu()
