"""Whether a network can be trained on a batch of one image."""

from __future__ import annotations

import copy

import torch
from torch import nn


def can_train_on_one(net: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether ``net``, in the mode that it is in, takes a batch of one image of ``shape`` (height, width, channels).

    Batch norm cannot, where feature maps have a single pixel: it would see one value per channel. Nothing is computed.

    >>> norm = nn.Sequential(nn.Conv2d(3, 8, 4), nn.BatchNorm2d(8))
    >>> can_train_on_one(norm, (4, 4, 3)), can_train_on_one(norm, (5, 5, 3)), can_train_on_one(norm.eval(), (4, 4, 3))
    (False, True, True)
    """
    height, width, channels = shape
    try:
        copy.deepcopy(net).to("meta")(torch.zeros(1, channels, height, width, device="meta"))
    except ValueError:  # of torch's batch norm
        return False
    return True
