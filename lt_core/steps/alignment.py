"""Distribution alignment: the distribution of a model's predictions is moved towards a target (Berthelot et al. 2020)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_MEMORY = 128  # batches whose mean prediction stands for the model's (CReST's public code)


class Alignment:
    """Multiplies predictions by target/mean and renormalises them.

    The target is the class distribution of ``sizes`` [C] to the power ``power``, normalised. The mean is that of the model's
    predictions over the last 128 batches, uniform at first.

    >>> Alignment(torch.tensor([3.0, 1.0]), power=1.0)(torch.tensor([[0.5, 0.5]]))
    tensor([[0.7500, 0.2500]])
    """

    def __init__(self, sizes: Tensor, power: float) -> None:
        self.target = (sizes / sizes.sum()) ** power
        self.target = self.target / self.target.sum()
        self.said = torch.full((_MEMORY, len(sizes)), 1 / len(sizes), device=sizes.device)  # mean predictions, batch by batch
        self.place = 0

    def __call__(self, said: Tensor) -> Tensor:
        """Aligned predictions [B, C]. The batch itself counts in the mean only from the next one on."""
        moved = said * (self.target + 1e-6) / (self.said.mean(dim=0) + 1e-6)
        self.said[self.place] = said.mean(dim=0)
        self.place = (self.place + 1) % _MEMORY
        return moved / moved.sum(dim=1, keepdim=True)

    def state(self) -> dict[str, Any]:
        """Everything that the next alignment depends on."""
        return {"said": self.said.clone(), "place": self.place}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`, which may have other keys too."""
        self.said.copy_(state["said"])
        self.place = state["place"]
