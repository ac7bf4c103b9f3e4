"""What happens to a network after the optimiser's step: it is averaged over time, and its weights shrink."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lt_core.models.registry import Backbone, Net
from lt_core.recipes import Recipe


@torch.no_grad()
def move_average(averaged: Net, model: Net, recipe: Recipe) -> None:
    """Move the weights of ``averaged`` towards those of ``model``, at the rate of ``recipe.ema``.

    Batch norm's statistics are averaged too, or copied, as ``recipe.ema_norms`` says.
    """
    mean_norms = recipe.ema_norms == "averaged"
    ours: list[Tensor] = list(averaged.parameters())
    theirs: list[Tensor] = list(model.parameters())
    copies: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}  # a GPU copies those of one type in one launch
    for mine, buffer in zip(averaged.buffers(), model.buffers(), strict=True):
        if mean_norms and buffer.is_floating_point():
            ours.append(mine)
            theirs.append(buffer)
        else:
            targets, sources = copies.setdefault(buffer.dtype, ([], []))
            targets.append(mine)
            sources.append(buffer)
    torch._foreach_lerp_(ours, theirs, 1 - recipe.ema)
    for targets, sources in copies.values():
        torch._foreach_copy_(targets, sources)


@torch.no_grad()
def shrink(model: Net, frozen: Iterable[nn.Module], rate: float) -> None:
    """Decoupled weight decay: multiply all that is not in ``frozen`` by 1 − ``rate``, batch norm's statistics included."""
    kept = [k for module in model.modules() if isinstance(module, Backbone) for k in module.kept]
    still = {id(t) for module in (*frozen, *kept) for t in module.state_dict(keep_vars=True).values()}
    ours = [t for t in model.state_dict(keep_vars=True).values() if t.is_floating_point() and id(t) not in still]
    torch._foreach_mul_(ours, 1 - rate)
