"""The cost of networks, counted without computing anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def forward_flops(build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> int:
    """Floating-point operations of one image (``shape``: height, width, channels) through the network that ``build`` makes."""
    return _counted(build, shape)[1][""]


def training_flops(build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> int:
    """Floating-point operations of one image forward and back. The backward pass takes twice as many as the forward pass, except
    for modules that are not trained, which need none.
    """
    net, counts = _counted(build, shape)
    kept = {name for name, module in net.named_modules() if not any(p.requires_grad for p in module.parameters())}
    if "" in kept:
        return counts[""]
    outermost = [name for name in kept if not any(name.startswith(f"{other}.") for other in kept)]
    return 3 * counts[""] - 2 * sum(counts.get(name, 0) for name in outermost)


def _counted(build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> tuple[nn.Module, dict[str, int]]:
    """The network, on the meta device, and the forward operations of each module by name; the empty name is the whole network."""
    from torch.utils.flop_counter import FlopCounterMode  # imported late, because it imports a part of torch's compiler

    height, width, channels = shape
    with torch.device("meta"), torch.no_grad():
        net = build().eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, channels, height, width))
    inside = {name.partition(".")[2]: sum(found.values()) for name, found in counter.get_flop_counts().items()}
    return net, {**inside, "": counter.get_total_flops()}
