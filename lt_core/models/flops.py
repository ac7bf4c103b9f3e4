"""What networks cost, counted without computing anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def forward_flops(build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> int:
    """Floating-point operations of one image (``shape``: height, width, channels) through the network that ``build`` makes."""
    from torch.utils.flop_counter import FlopCounterMode  # late: it imports a part of torch's compiler

    height, width, channels = shape
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build().eval()(torch.empty(1, channels, height, width))
    return int(counter.get_total_flops())
