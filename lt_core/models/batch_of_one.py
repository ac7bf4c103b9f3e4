"""Whether a network can be trained on a batch of one image."""

from __future__ import annotations

import copy

import torch
from torch import nn


def can_train_on_one(net: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether ``net``, in its present mode, accepts a batch of one image of ``shape`` (height, width, channels).

    In training, batch norm does not accept feature maps with a single pixel, because it would see only one value per channel.
    Nothing is computed.

    >>> norm = nn.Sequential(nn.Conv2d(3, 8, 4), nn.BatchNorm2d(8))
    >>> can_train_on_one(norm, (4, 4, 3)), can_train_on_one(norm, (5, 5, 3)), can_train_on_one(norm.eval(), (4, 4, 3))
    (False, True, True)
    """
    height, width, channels = shape
    try:
        copy.deepcopy(net).to("meta")(torch.zeros(1, channels, height, width, device="meta"))
    except ValueError:  # from torch's batch norm
        return False
    return True
