"""Losses that ask the right class to win by a margin."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lt_core.fields import param
from lt_core.losses.base import Loss, LossFn
from lt_core.parts import part


@part("loss", "ldam")
class LDAM(Loss):
    """CE(s·(z − Δ_y·onehot(y)), y) with Δ_c ∝ n_c^(−1/4), the largest of them max_margin (Cao et al. 2019, Eq. 12 and 13).

    The logits are cosines, so it belongs with the cosine head.
    """

    max_margin: float = param(
        0.5, "margin of the smallest class, on cosine logits; at 0 there is no margin", low=0, tune=(0.3, 0.5, 0.7)
    )
    scale: float = param(30.0, "factor s on the cosines", above=0, tune=(10.0, 20.0, 30.0))

    def margins(self, counts: Tensor) -> Tensor:
        """Δ_c for class sizes ``counts``: [C]."""
        rarity = counts**-0.25
        return self.max_margin * rarity / rarity.max()

    def bind(self, counts: Tensor) -> LossFn:
        margins = self.margins(counts)

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            shift = margins.to(logits)[labels][:, None]
            shifted = logits.scatter_add(1, labels[:, None], -shift)
            return F.cross_entropy(self.scale * shifted, labels, reduction="none")

        return loss

    def logits(self, outputs: Tensor) -> Tensor:
        return self.scale * outputs
