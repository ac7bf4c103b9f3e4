"""Bilateral-branch network (Zhou et al. 2020, CVPR)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lt_core.errors import UserError
from lt_core.models.registry import Backbone, called
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.sampling import Reverse
from lt_core.steps.base import BoundStep, Step


class TwoBranches(nn.Module):
    """A backbone whose last block exists twice. Its features [B, 2·width] are those of the conventional branch, followed by those
    of the re-balancing branch.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.shared = backbone
        last = backbone.groups[-1]
        assert isinstance(last, nn.Sequential)
        self.conventional = last.pop(len(last) - 1)
        self.rebalancing = copy.deepcopy(self.conventional)
        for module in self.rebalancing.modules():  # so that the branches start from different weights
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        self.width = 2 * backbone.width

    @property
    def seen(self) -> nn.Module:
        """The layer that shows where the network looks (`lt_core.explain`): the last one that both branches share."""
        return self.shared.groups[-1]

    def trunk(self, images: Tensor) -> Tensor:
        """The input of both branches."""
        hidden = self.shared.begin(images)
        for group in self.shared.groups:
            hidden = group(hidden)
        return hidden

    def branch(self, images: Tensor, block: nn.Module) -> Tensor:
        """Features of one branch: [B, width]."""
        return self.shared.finish(block(self.trunk(images)))

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.trunk(images)
        return torch.cat([self.shared.finish(block(hidden)) for block in (self.conventional, self.rebalancing)], dim=1)


class _Bilateral(BoundStep):
    """α falls from 1 to 0 as 1 − (t/T)²: first all images count equally, for the features, and at the end all classes do."""

    def __call__(self, positions: Tensor) -> Tensor:
        training, count = self.training, len(positions)
        alpha = 1 - (training.epoch / training.recipe.epochs) ** 2
        # The reversed sampler draws N images for an epoch; one batch of it is as many draws of the same distribution.
        weights = Reverse().image_weights(training.split.drawn_counts, 0.0)[training.split.train.labels]
        reversed_order = torch.multinomial(weights, count, replacement=True, generator=training.order)
        images, labels = training.images(torch.cat([positions, reversed_order]))
        net = training.model.backbone
        assert isinstance(net, TwoBranches)
        with training.autocast():
            ours = net.branch(images[:count], net.conventional)
            theirs = net.branch(images[count:], net.rebalancing)
            features = 2 * torch.cat([alpha * ours, (1 - alpha) * theirs], dim=1)
            outputs = training.model.classify(features, labels[:count]).float()
        features = features.float()
        first, second = (training.objective(outputs, features, y) for y in (labels[:count], labels[count:]))
        return alpha * first + (1 - alpha) * second


@part("step", "bbn")
class Bilateral(Step):
    """Two branches with one classifier: α·CE(z, y_c) + (1 − α)·CE(z, y_r), z = W·2[α·f_c ; (1 − α)·f_r] (Eq. 1, 2 and 5).

    The conventional branch gets the images that the sampling draws, the re-balancing branch those of the reversed sampler, and α
    = 1 − (t/T)². At test time both see the image, with α = 1/2. As in the released code, the branches share all layers but the
    last residual block.
    """

    @property
    def cost(self) -> float:
        return 2.0

    def backbone(self, backbone: nn.Module) -> nn.Module:
        if not isinstance(backbone, Backbone) or sum(len(group) for group in getattr(backbone, "groups", ())) < 2:
            raise UserError(
                f"bbn duplicates the last block of a backbone, but {called(backbone)} does not consist of blocks in sequence"
            )
        if not all(p.requires_grad for p in backbone.groups[-1][-1].parameters()):  # type: ignore[index]
            raise UserError(
                f"bbn trains two copies of the last block, which {called(backbone)} keeps fixed: set trained to last_block or all"
            )
        return TwoBranches(backbone)

    def bind(self, training: StepContext) -> BoundStep:
        return _Bilateral(training)
