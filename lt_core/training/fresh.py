"""The network with which a training begins."""

from __future__ import annotations

import math
from typing import cast

from torch import nn

from lt_core.models.heads import Head
from lt_core.models.length import of_length
from lt_core.models.registry import Net, build_model
from lt_core.recipes import Recipe
from lt_core.steps.base import Step


def fresh_network(recipe: Recipe, shape: tuple[int, int, int], classes: int, head: Head, step: Step, seed: int) -> Net:
    """The recipe's model for images of ``shape`` (height, width, channels), with its backbone changed by the recipe and then by
    the step.

    Raises:
        UserError: the model cannot be built for these images, or lacks what the step needs.
    """

    def changed(backbone: nn.Module) -> nn.Module:
        return step.backbone(of_length(backbone, recipe.feature_length))

    return build_model(recipe.model, recipe.network_shape(shape), classes, head, seed, changed, recipe.head_init)


def start_at_prior(model: Net, classes: int) -> list[nn.Parameter]:
    """Let a one-versus-all loss start at probability 1/C for every class, by the classifier's bias.

    Returns:
        The bias, which weight decay must spare; empty if the classifier has none.
    """
    bias = getattr(model.classifier, "bias", None)
    if bias is None:
        return []
    nn.init.constant_(bias, -math.log(classes - 1))
    return [cast(nn.Parameter, bias)]
