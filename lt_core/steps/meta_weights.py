"""Image weights learnt on a balanced meta set: Meta-Weight-Net and L2RW."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lt_core.fields import param
from lt_core.optimizers import SGD
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.steps.base import BoundStep
from lt_core.steps.meta import Meta, MetaStep


def weighted(weights: Tensor, losses: Tensor) -> Tensor:
    """Σ w·loss, with the weights [B] of the batch scaled to sum to one unless all of them are zero."""
    total = weights.sum()
    return (weights / torch.where(total > 0, total, 1.0) * losses).sum()


class _MetaWeightNet(MetaStep):
    captured_on_cpu: ClassVar[bool] = True

    def __init__(self, training: StepContext, config: MetaWeightNet) -> None:
        super().__init__(training, config)
        self.through_weights = config.through_weights
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(training.order.initial_seed())
            self.net = nn.Sequential(nn.Linear(1, 100), nn.ReLU(), nn.Linear(100, 1), nn.Sigmoid()).to(training.device)
        self.optimizer = SGD(self.net.parameters(), lr=config.mwn_lr, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def weigh(self, losses: Tensor) -> Tensor:
        out: Tensor = self.net(losses[:, None])[:, 0]
        return out

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        images, labels = training.images(positions)
        parameters = self.parameters()
        losses = training.loss_of(self.outputs_at(parameters, images), labels)
        weights = self.weigh(losses if self.through_weights else losses.detach())
        ahead = self.looked_ahead(parameters, weighted(weights, losses))
        slopes = torch.autograd.grad(self.meta_loss(ahead), list(self.net.parameters()))
        for p, slope in zip(self.net.parameters(), slopes, strict=True):
            p.grad = slope
        self.optimizer.step()
        losses = training.loss_of(training.forward(images, labels)[0], labels)
        return weighted(self.weigh(losses.detach()).detach(), losses)

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])


@part("step", "meta_weight_net")
class MetaWeightNet(Meta):
    """The weight of an image is a function of its loss, an MLP 1-100-1 with a sigmoid. It is trained so that one step of the
    network with these weights lowers the loss of the meta set (Shu et al. 2019, NeurIPS, Eq. 3 to 5). The weights of a batch sum
    to one, as in the released code (xjtushujun/Meta-weight-net_class-imbalance, meta-weight-net-class-imbalance.py at 20c3276).

    The paper holds the weights fixed in the gradient of the virtual step. The code does not detach the losses that the MLP
    receives, so that its virtual step also includes the gradient of the weights. The real step holds the weights fixed in both.
    """

    mwn_lr: float = param(1e-5, "learning rate of the weighting function", above=0, tune=(1e-5, 1e-3))
    through_weights: bool = param(False, "differentiate through the weights in the virtual step too, as in the released code")

    def bind(self, training: StepContext) -> BoundStep:
        return _MetaWeightNet(training, self)


class _L2RW(MetaStep):
    captured_on_cpu: ClassVar[bool] = True

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        images, labels = training.images(positions)
        parameters, epsilon = self.parameters(), torch.zeros(len(positions), device=images.device, requires_grad=True)
        losses = training.loss_of(self.outputs_at(parameters, images), labels)
        ahead = self.looked_ahead(parameters, (epsilon * losses).sum())
        (slope,) = torch.autograd.grad(self.meta_loss(ahead), epsilon)
        losses = training.loss_of(training.forward(images, labels)[0], labels)
        return weighted((-slope).relu(), losses)


@part("step", "l2rw")
class LearningToReweight(Meta):
    """The weight of an image is the amount by which a gradient step on its loss lowers the loss of the meta set, or zero; the
    weights of a batch sum to one (L2RW: Ren et al. 2018, ICML, Eq. 6 to 8 and 12; uber-research/learning-to-reweight-examples,
    mnist/reweight.py at 0b616c9, whose virtual step with rate 1 differs by a factor that the normalisation removes).
    """

    def bind(self, training: StepContext) -> BoundStep:
        return _L2RW(training, self)
