"""Scores of heat maps: whether hot places decide the prediction, and how much of the heat lies on the object."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Probability [B] of the class that is looked for in each of these images [B, channels, H, W].
Predict = Callable[[Tensor], Tensor]


def deletion(predict: Predict, images: Tensor, heat: Tensor, background: Tensor, steps: int = 20) -> Tensor:
    """Area under the class's probability as the hottest places are replaced by ``background`` first, in 0…1: [B]; small is
    good (Petsiuk et al. 2018, BMVC, section 4.1).

    >>> picture = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    >>> deletion(lambda x: x.amax(dim=(1, 2, 3)), picture, heat=picture[0], background=0 * picture, steps=4)
    tensor([0.1250])

    Args:
        images: [B, channels, H, W].
        heat: [B, H, W]; of equally hot places the upper ones go first.
        background: [B, channels, H, W], such as the mean colour or the images blurred.
        steps: in how many steps all places are replaced.
    """
    places = heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(places, device=heat.device).expand_as(order)).view_as(heat)
    cuts = [round(places * step / steps) for step in range(steps + 1)]
    said = torch.stack([predict(torch.where((rank < cut)[:, None], background, images)) for cut in cuts])
    return torch.trapezoid(said, torch.tensor(cuts, device=said.device) / places, dim=0)


def insertion(predict: Predict, images: Tensor, heat: Tensor, background: Tensor, steps: int = 20) -> Tensor:
    """Area under the class's probability as the hottest places of ``images`` appear first on ``background``: [B]; large is good
    (Petsiuk et al. 2018, section 4.1). For arguments see `deletion`.
    """
    return deletion(predict, background, heat, images, steps)


def share_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the heat that lies on the object: [B]. Heat is measured relative to the coldest place, so a constant map has no
    heat; its share is then that of the area, as by chance.

    >>> above, everywhere = [[3.0, 1.0], [1.0, 1.0]], [[2.0, 2.0], [2.0, 2.0]]
    >>> share_inside(torch.tensor([above, everywhere]), torch.tensor([[True, True], [False, False]]))
    tensor([1.0000, 0.5000])

    Args:
        heat: [B, H, W].
        mask: bool [B, H, W] or [H, W], where the object is.
    """
    above = heat - heat.amin(dim=(1, 2), keepdim=True)
    above = torch.where(above.amax(dim=(1, 2), keepdim=True) > 0, above, torch.ones_like(above))
    return (above * mask).sum(dim=(1, 2)) / above.sum(dim=(1, 2))


def pointing(heat: Tensor, mask: Tensor) -> Tensor:
    """Whether the hottest place lies on the object, 1 or 0: [B] (Zhang et al. 2016, ECCV, the pointing game); of several hottest
    places the share of those that do. For arguments see `share_inside`.
    """
    hottest = heat == heat.amax(dim=(1, 2), keepdim=True)
    return (hottest & mask).sum(dim=(1, 2)) / hottest.sum(dim=(1, 2))
