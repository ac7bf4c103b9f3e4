"""The optimiser of a recipe and its learning rate over time."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import SGD, Adam, Optimizer

from lt_core.recipes import Recipe


def make_optimizer(recipe: Recipe, model: nn.Module, undecayed: list[nn.Parameter]) -> Optimizer:
    """Fused optimiser; weight decay on every parameter that is trained but ``undecayed``."""
    spared = {id(p) for p in undecayed}
    groups = [
        {
            "params": [p for p in model.parameters() if p.requires_grad and id(p) not in spared],
            "weight_decay": recipe.weight_decay,
        },
        {"params": undecayed, "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]] or groups[:1]  # a stage that trains nothing has no use for it
    if recipe.optimizer == "adam":
        return Adam(groups, lr=recipe.lr, fused=True)
    return SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)


def learning_rate(recipe: Recipe, epoch: int, fraction: float) -> float:
    """Rate at ``fraction`` (0…1) of epoch number ``epoch`` (from 0).

    Warm-up lasts k = round(warmup · epochs) epochs, at least one if any: (epoch + 1)/k of the rate an epoch, or
    (epoch + fraction)/k every step. Cosine decay falls every step from the base rate to 0.
    Milestones take effect at the start of epoch round(milestone · epochs).
    """
    rate = recipe.lr
    if recipe.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * (epoch + fraction) / recipe.epochs))
    warm = max(1, round(recipe.warmup * recipe.epochs)) if recipe.warmup else 0
    if epoch < warm:
        rate *= (epoch + (1 if recipe.warmup_by == "epoch" else fraction)) / warm
    for milestone, drop in zip(recipe.milestones, recipe.drops, strict=True):
        if epoch >= round(milestone * recipe.epochs):
            rate = recipe.lr * drop
    return rate
