"""Grad-CAM (Selvaraju et al. 2017, ICCV, section 3): a network's last maps, weighted by the gradients of the class's logit."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.errors import UserError
from lt_core.explain import places
from lt_core.explain.base import Explainable, Explanation, explains
from lt_core.fields import param
from lt_core.models.registry import called


def weighed(maps: Tensor, slopes: Tensor) -> Tensor:
    """max(0, Σ_k α_k A^k) with α_k the mean gradient over all places (Eq. 1 and 2): [B, h, w].

    >>> maps = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    >>> weighed(maps, torch.tensor([[[[2.0, 4.0]], [[-1.0, -1.0]]]]))
    tensor([[[3., 0.]]])

    Args:
        maps: A, [B, K, h, w].
        slopes: gradients of the class's logit with respect to A, [B, K, h, w].
    """
    return (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()


def enlarged(heat: Tensor, height: int, width: int) -> Tensor:
    """Heat [B, h, w] enlarged to the size of the pictures by linear interpolation: [B, height, width]."""
    return F.interpolate(heat[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]


@explains("gradcam")
class GradCAM(Explanation):
    """Where the network's last maps support the class (Selvaraju et al. 2017); takes one forward and one backward pass."""

    batch: int = param(32, "pictures that are computed at once", low=1)

    def heat(self, classifier: Explainable, images: Tensor, labels: Tensor) -> Tensor:
        place = _found(classifier, images)
        parts = zip(images.split(self.batch), labels.split(self.batch), strict=True)
        found = [weighed(*places.seen_at(place, classifier, some, theirs)) for some, theirs in parts]
        return enlarged(torch.cat(found), *images.shape[2:])

    def places(self, classifier: Explainable, images: Tensor) -> tuple[int, int]:
        first, label = images[:1], torch.zeros(1, dtype=torch.int64, device=images.device)
        maps, _ = places.seen_at(_found(classifier, first), classifier, first, label)
        return maps.shape[2], maps.shape[3]


def _found(classifier: Explainable, images: Tensor) -> places.Place:
    place = places.found(classifier, images)
    if place is None:
        raise UserError(
            f"{called(classifier.backbone)} has no map of the picture, which gradcam needs: use --kind rise or gradient"
        )
    return place
