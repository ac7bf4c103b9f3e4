"""Losses that require the correct class to win by a margin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.fields import param
from lt_core.losses.base import EveryLossFn, Loss, LossFn
from lt_core.parts import part


def ldam_margins(counts: Tensor, largest: float) -> Tensor:
    """Δ_c ∝ n_c^(−1/4), scaled so that the smallest class has the margin ``largest`` (Cao et al. 2019, Eq. 12): [C]."""
    rarity = counts**-0.25
    return largest * rarity / rarity.max()


class _Cosine(Loss):
    """A loss on cosine outputs, which a factor ``scale`` turns into logits."""

    scale: float

    def logits(self, outputs: Tensor) -> Tensor:
        return self.scale * outputs

    def shifted(self, outputs: Tensor, labels: Tensor, margins: Tensor) -> Tensor:
        """CE(s·(z − margin·onehot(y)), y) of each image; ``margins``: [B]."""
        moved = outputs.scatter_add(1, labels[:, None], -margins[:, None])
        return F.cross_entropy(self.scale * moved, labels, reduction="none")

    def shifted_for_every_label(self, outputs: Tensor, margins: Tensor) -> Tensor:
        """`shifted` for each label that an image could have: log(1 + Σ_{j≠y} exp(s·z_j) / exp(s·(z_y − margin))), [B, C].

        ``margins``: [C] or [B, C].
        """
        loss: Tensor = F.softplus(log_sum_of_others(self.scale * outputs) - self.scale * (outputs - margins))
        return loss


def log_sum_of_others(logits: Tensor) -> Tensor:
    """log Σ_{j≠c} exp(z_j) in each column c: [B, C].

    It is log Σ_j exp(z_j) + log(1 − p_c), which is exact enough while p_c ≤ 1/2; for the largest logit, whose p can round to 1,
    the sum over the others is computed directly.
    """
    top = logits.argmax(dim=1, keepdim=True)
    others = logits.logsumexp(dim=1, keepdim=True) + torch.log1p(-logits.softmax(dim=1).scatter(1, top, 0.0))
    return others.scatter(1, top, logits.scatter(1, top, float("-inf")).logsumexp(dim=1, keepdim=True))


def largest_other(outputs: Tensor) -> Tensor:
    """The largest output of a class other than c in each column c: [B, C]."""
    first, second = outputs.topk(2, dim=1).values.split(1, dim=1)
    top = outputs.argmax(dim=1, keepdim=True)
    others: Tensor = first.expand_as(outputs).scatter(1, top, second)
    return others


def runner_up(outputs: Tensor, labels: Tensor) -> Tensor:
    """The largest output of a class other than the label: [B]."""
    return outputs.scatter(1, labels[:, None], float("-inf")).amax(dim=1)


@part("loss", "ldam")
class LDAM(_Cosine):
    """CE(s·(z − Δ_y·onehot(y)), y) with Δ_c ∝ n_c^(−1/4), where the largest is max_margin (Cao et al. 2019, Eq. 12 and 13).

    The logits must be cosines, so use it with the cosine head.
    """

    max_margin: float = param(0.5, "margin of the smallest class, on cosine logits; 0: no margin", low=0, tune=(0.3, 0.5, 0.7))
    scale: float = param(30.0, "scale s of the cosines", above=0, tune=(10.0, 20.0, 30.0))

    def margins(self, counts: Tensor) -> Tensor:
        """Δ_c for class sizes ``counts``: [C]."""
        return ldam_margins(counts, self.max_margin)

    def bind(self, counts: Tensor) -> LossFn:
        margins = self.margins(counts)
        return lambda outputs, labels: self.shifted(outputs, labels, margins.to(outputs)[labels])

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        margins = self.margins(counts)
        return lambda outputs, weights: self.shifted_for_every_label(outputs, margins.to(outputs))


@part("loss", "mm")
class MaximumMargin(_Cosine):
    """CE(s·(z − b·onehot(y)), y) with a separate margin b for each image (Kang et al. 2021, ICIP).

    d = z_y − max_{j≠y} z_j, without gradient, is the image's distance from the decision boundary; b = exp(−d − γ·m) on the
    correct side of it and exp(d − m) on the wrong side, so that the margin is largest at the boundary. m is max_margin; in the
    mixed form it is max_margin − Δ_y, with LDAM's margins Δ, the largest of which is 0.5.

    The released code takes z_y from the column of the *first* image's label for the whole batch, and excludes the true class from
    the maximum by setting it to 0; ``released_code`` reproduces this for comparison.
    """

    max_margin: float = param(
        0.5, "m: larger values give smaller margins, which vanish in the limit", low=0, tune=(0.5, 1.0, 1.29, 1.4)
    )
    mm_gamma: float = param(
        1.1, "γ: reduces the push on correct predictions relative to wrong ones", low=0, tune=(1.1, 1.4, 1.528)
    )
    scale: float = param(30.0, "scale s of the cosines", above=0, tune=(19.0, 30.0))
    mixed: bool = param(False, "subtract LDAM's margin of the class from m, so that rare classes get larger margins")
    released_code: bool = param(False, "compute d as in the public code, including its mistakes")

    def bind(self, counts: Tensor) -> LossFn:
        offset = self._offset(counts)

        def loss(outputs: Tensor, labels: Tensor) -> Tensor:
            d = self.distance(outputs.detach(), labels)
            margins = self._margins(d, self.max_margin - offset.to(outputs)[labels])
            if self.released_code:
                margins = torch.where(d == 0, 0, margins)
            return self.shifted(outputs, labels, margins)

        return loss

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        if self.released_code:  # it depends on the first label of the batch, so labels cannot be computed side by side
            return super().bind_every(counts)
        m = self.max_margin - self._offset(counts)

        def every(outputs: Tensor, weights: Tensor) -> Tensor:
            d = outputs.detach() - largest_other(outputs.detach())
            return self.shifted_for_every_label(outputs, self._margins(d, m.to(outputs)))

        return every

    def _offset(self, counts: Tensor) -> Tensor:
        """What the mixed form subtracts from m for class sizes ``counts``: [C]."""
        return ldam_margins(counts, 0.5) if self.mixed else torch.zeros_like(counts)

    def _margins(self, d: Tensor, m: Tensor) -> Tensor:
        """The margins b at the distances ``d`` from the decision boundary."""
        return torch.where(d > 0, torch.exp(-d - self.mm_gamma * m), torch.exp(d.clamp_max(0) - m))

    def distance(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """d of each image: [B]."""
        if self.released_code:
            hidden = outputs.scatter(1, labels[:, None], 0.0)
            return outputs[:, labels[0]] - hidden.amax(dim=1)
        return outputs.gather(1, labels[:, None])[:, 0] - runner_up(outputs, labels)


@part("loss", "hinge")
class Hinge(Loss):
    """max(0, m + max_{j≠y} z_j − z_y): the multi-class hinge (Crammer and Singer 2001)."""

    hinge_margin: float = param(1.0, "margin m", above=0)

    def bind(self, counts: Tensor) -> LossFn:
        def loss(outputs: Tensor, labels: Tensor) -> Tensor:
            return (self.hinge_margin + runner_up(outputs, labels) - outputs.gather(1, labels[:, None])[:, 0]).relu()

        return loss

    def bind_every(self, counts: Tensor) -> EveryLossFn:
        return lambda outputs, weights: (self.hinge_margin + largest_other(outputs) - outputs).relu()
