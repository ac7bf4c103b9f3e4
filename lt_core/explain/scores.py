"""Scores of heat maps: whether hot places decide the prediction, and how much of the heat is on the object."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Images [B, channels, H, W] → the probability of the explained class for each, [B].
Predict = Callable[[Tensor], Tensor]


def deletion(predict: Predict, images: Tensor, heat: Tensor, background: Tensor, steps: int = 20) -> Tensor:
    """Area under the curve of the class's probability while places are replaced by ``background``, the hottest first: [B], in
    0…1; small is good (Petsiuk et al. 2018, BMVC, section 4.1).

    >>> picture = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    >>> deletion(lambda x: x.amax(dim=(1, 2, 3)), picture, heat=picture[0], background=0 * picture, steps=4)
    tensor([0.1250])

    Args:
        images: [B, channels, H, W].
        heat: [B, H, W]; of equally hot places the upper ones are replaced first.
        background: [B, channels, H, W], such as the mean colour or blurred images.
        steps: number of steps in which all places are replaced.
    """
    places = heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(places, device=heat.device).expand_as(order)).view_as(heat)
    cuts = [round(places * step / steps) for step in range(steps + 1)]
    said = torch.stack([predict(torch.where((rank < cut)[:, None], background, images)) for cut in cuts])
    return torch.trapezoid(said, torch.tensor(cuts, device=said.device) / places, dim=0)


def insertion(predict: Predict, images: Tensor, heat: Tensor, background: Tensor, steps: int = 20) -> Tensor:
    """Area under the curve of the class's probability while places of ``images`` appear on ``background``, the hottest first:
    [B]; large is good (Petsiuk et al. 2018, section 4.1). For the arguments see `deletion`.
    """
    return deletion(predict, background, heat, images, steps)


def share_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the heat that is on the object: [B]. Heat is measured relative to the coldest place. A constant map therefore has
    no heat; its share is that of the object's area, as by chance.

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
    """Whether the hottest place is on the object, 1 or 0: [B] (Zhang et al. 2016, ECCV, the pointing game); if several places are
    equally hot, the share of them on the object. For the arguments see `share_inside`.
    """
    hottest = heat == heat.amax(dim=(1, 2), keepdim=True)
    return (hottest & mask).sum(dim=(1, 2)) / hottest.sum(dim=(1, 2))
