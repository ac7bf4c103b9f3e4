"""The gradient with respect to each pixel (Simonyan et al. 2014, ICLR workshop, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from lt_core.explain.base import Explainable, Explanation, explains
from lt_core.fields import param


@explains("gradient")
class Gradient(Explanation):
    """How strongly the class's logit depends on each pixel, the maximum over channels (Simonyan et al. 2014); for any network."""

    batch: int = param(32, "pictures that are computed at once", low=1)

    def heat(self, classifier: Explainable, images: Tensor, labels: Tensor) -> Tensor:
        found = []
        for some, theirs in zip(images.split(self.batch), labels.split(self.batch), strict=True):
            pixels = some.detach().clone().requires_grad_()
            with torch.enable_grad():
                (slopes,) = torch.autograd.grad(classifier.logits(pixels).gather(1, theirs[:, None]).sum(), pixels)
            found.append(slopes.abs().amax(dim=1))
        return torch.cat(found)
