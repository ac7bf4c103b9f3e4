"""The optimiser of a recipe and its learning rate over time."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lt_core.optimizers import SGD, Adam
from lt_core.recipes import Recipe

#: Share of a cosine's half period that training covers.
_ARCS = {"cosine_7_16": 7 / 16, "cosine_1_16": 1 / 16}


def make_optimizer(recipe: Recipe, model: nn.Module, undecayed: list[nn.Parameter]) -> Optimizer:
    """A fused optimiser, with weight decay on every trained parameter except ``undecayed``."""
    if not recipe.decay_norms:
        undecayed = [p for p in model.parameters() if p.requires_grad and p.ndim == 1]
    spared = {id(p) for p in undecayed}
    groups = [
        {
            "params": [p for p in model.parameters() if p.requires_grad and id(p) not in spared],
            "weight_decay": recipe.weight_decay,
        },
        {"params": undecayed, "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]] or groups[:1]  # a stage that trains nothing keeps an empty group
    if recipe.optimizer == "adam":
        return Adam(groups, lr=recipe.lr, fused=True)
    return SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Let the next step have this learning rate, whether the optimiser reads it from the device or from the host."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def make_recordable(optimizer: Optimizer, device: torch.device) -> None:
    """Let the optimiser's step be recorded, in a recording that holds at any rate: its rate is read from the device's memory, and
    Adam is told so, because torch otherwise refuses to record it. Fused Adam computes the same either way.
    """
    precision = torch.float32 if device.type == "cuda" else torch.float64  # what fused optimisers compute the rate in
    for group in optimizer.param_groups:
        group["lr"] = torch.full((), float(group["lr"]), device=device, dtype=precision)
        if "capturable" in group:
            group["capturable"] = True


def learning_rate(recipe: Recipe, epoch: int, fraction: float) -> float:
    """The learning rate at ``fraction`` (0…1) of the epoch with number ``epoch``, from 0.

    Warm-up lasts k = warmup_epochs epochs (or round(warmup · epochs), at least one, if ``warmup`` is set). The rate is multiplied
    by (epoch + 1)/k in each epoch, or by (epoch + fraction)/k in each step. Cosine decay lowers the rate in each step, from the
    base rate to 0 or along a part of the arc; decay by epoch keeps the value that an epoch starts with. Milestones take effect at
    the start of epoch round(milestone · epochs).
    """
    rate = recipe.lr
    done = (epoch + fraction) / recipe.epochs
    if recipe.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * done))
    elif recipe.decay == "cosine_by_epoch":
        rate *= 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    elif recipe.decay in _ARCS:
        rate *= math.cos(_ARCS[recipe.decay] * math.pi * done)
    warm = max(1, round(recipe.warmup * recipe.epochs)) if recipe.warmup else recipe.warmup_epochs
    if epoch < warm:
        rate *= (epoch + (1 if recipe.warmup_by == "epoch" else fraction)) / warm
    for milestone, drop in zip(recipe.milestones, recipe.drops, strict=True):
        if epoch >= round(milestone * recipe.epochs):
            rate = recipe.lr * drop
    return rate
