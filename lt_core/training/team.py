"""Processes that train one trial together, each on its own device.

Every process has the whole trial: it draws the same order and the same augmentation, and holds the same weights. Only the
network's work is divided. Each process passes its share of a batch through the network, and gets the outputs and features of the
other shares. Then all compute the loss of the whole batch, whatever it depends on, and the gradients of all shares are summed. A
step is therefore that of one process with the same batch, up to the order of sums. Only batch norm normalises each share by
itself, unless the recipe synchronises it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")
#: (images [B, …], labels [B] or None) → outputs [B, C] and features [B, width].
Forward = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Team:
    """The processes of one trial, as one of them sees them.

    Args:
        rank: the number of this process, from 0.
        size: the number of all processes.
    """

    rank: int
    size: int

    def divided(self, forward: Forward, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The result of ``forward`` for all images, of which this process computes its share; gradients reach only that share.

        With fewer than two images per process, every process computes all of them and scales the gradients, because batch norm
        needs two.
        """
        count = len(images)
        if count < 2 * self.size:
            outputs, features = forward(images, labels)
            return _scaled_gradient(outputs, 1 / self.size), _scaled_gradient(features, 1 / self.size)
        bounds = [count * rank // self.size for rank in range(self.size + 1)]
        share = slice(bounds[self.rank], bounds[self.rank + 1])
        outputs, features = forward(images[share], None if labels is None else labels[share])
        return self._joined(outputs, bounds), self._joined(features, bounds)

    def _joined(self, mine: Tensor, bounds: list[int]) -> Tensor:
        """The shares of all processes in order; gradients flow through this process's own."""
        sizes = [end - start for start, end in pairwise(bounds)]
        padded = mine.new_zeros(max(sizes), *mine.shape[1:])
        padded[: len(mine)] = mine.detach()
        shares = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(shares, padded)
        return torch.cat([mine if rank == self.rank else share[: sizes[rank]] for rank, share in enumerate(shares)])

    def sum_gradients(self, net: nn.Module) -> None:
        """Give every parameter of ``net`` the sum of its gradients over all processes."""
        self._reduce([p.grad for p in net.parameters() if p.grad is not None], 1)

    @torch.no_grad()
    def average_buffers(self, nets: Iterable[nn.Module]) -> None:
        """Give the floating buffers of ``nets``, such as batch norm's statistics, their mean over all processes."""
        self._reduce([b for net in nets for b in net.buffers() if b.is_floating_point()], self.size)

    def _reduce(self, tensors: list[Tensor], divisor: int) -> None:
        if tensors:
            flat = torch.cat([t.reshape(-1) for t in tensors])
            dist.all_reduce(flat)
            flat /= divisor
            for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def agree(self, value: T) -> T:
        """The ``value`` of process 0, in every process."""
        held: list[Any] = [value]
        dist.broadcast_object_list(held, src=0)
        agreed: T = held[0]
        return agreed


def _scaled_gradient(value: Tensor, factor: float) -> Tensor:
    """``value``, with gradients that are multiplied by ``factor``."""
    return value.detach() + factor * (value - value.detach()) if value.requires_grad else value


_team: Team | None = None


def current() -> Team | None:
    """The team to which this process belongs; None: it trains its trials alone."""
    return _team


@contextmanager
def joined(rank: int, size: int, store: str, device: torch.device) -> Iterator[Team]:
    """In this block the process is one of ``size``, which meet in the file ``store``."""
    global _team
    if device.type == "cuda":
        torch.cuda.set_device(device)
    kind = "nccl" if device.type == "cuda" else "gloo"
    # A process may wait for long, for example for a stage that another trial trains; dead processes are noticed elsewhere.
    dist.init_process_group(kind, init_method=f"file://{store}", rank=rank, world_size=size, timeout=timedelta(days=7))
    _team = Team(rank, size)
    try:
        yield _team
    finally:
        _team = None
        dist.destroy_process_group()
