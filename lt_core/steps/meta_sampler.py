"""Class rates learnt on a balanced meta set: the meta sampler of BALMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call
from torch.optim import Optimizer

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.optimizers import Adam
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep
from lt_core.steps.meta import Meta, MetaStep, Parameters


def class_probabilities(rates: Tensor, counts: Tensor) -> Tensor:
    """Probability of drawing each class of ``counts`` images, if an image of class c has the weight σ(rates_c): [C]."""
    mass = rates.sigmoid() * counts
    return mass / mass.sum()


def as_drawn(losses: Tensor, probabilities: Tensor, labels: Tensor) -> Tensor:
    """``losses`` [B] of drawn images, whose mean gradient by the class ``probabilities`` is that of the expected loss."""
    mine = probabilities[labels]
    return losses * mine / mine.detach()


def after_sgd(parameters: Mapping[str, Tensor], slopes: Mapping[str, Tensor], optimizer: Optimizer) -> Parameters:
    """``parameters``, which ``optimizer`` (SGD) trains, after its next step, as a function of the gradients ``slopes``."""
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    ahead = {}
    for name, p in parameters.items():
        group, velocity = group_of[id(p)], optimizer.state[p].get("momentum_buffer")
        slope = slopes[name] + group["weight_decay"] * p
        velocity = slope if velocity is None else group["momentum"] * velocity + slope
        ahead[name] = p - group["lr"] * (slope + group["momentum"] * velocity if group["nesterov"] else velocity)
    return ahead


class _MetaSampler(MetaStep):
    def __init__(self, training: StepContext, config: MetaSampler) -> None:
        super().__init__(training, config)
        self.by_optimizer = config.look_ahead == "optimizer"
        self.rates = torch.zeros(len(training.split.counts), device=training.device, requires_grad=True)
        self.optimizer = Adam([self.rates], lr=config.sampler_lr)

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        of_image = self.rates.detach().sigmoid()[training.split.train.labels]
        drawn = torch.multinomial(of_image, len(positions), replacement=True, generator=training.order)
        images, labels = training.images(drawn)
        outputs, features = training.forward(images, labels)
        self._learn(features.detach(), labels)
        return training.objective(outputs, features, labels)

    def _learn(self, features: Tensor, labels: Tensor) -> None:
        """One step of the rates that reduces the meta loss of the classifier after one step on the batch."""
        training = self.training
        classifier = training.model.classifier
        parameters: Parameters = {name: p for name, p in classifier.named_parameters() if p.requires_grad}
        losses = training.loss_of(functional_call(classifier, parameters, (features,)).float(), labels)
        likely = class_probabilities(self.rates, training.split.drawn_counts.float())
        ahead = self.looked_ahead(parameters, as_drawn(losses, likely, labels).mean())
        images, truth = self.meta_batch()
        training.model.eval()  # so that the meta images do not change batch norm's statistics
        with torch.no_grad():
            seen = training.forward(images)[1]
        training.train_mode()
        outer = F.cross_entropy(training.loss.logits(functional_call(classifier, ahead, (seen,)).float()), truth)
        (self.rates.grad,) = torch.autograd.grad(outer, self.rates)
        self.optimizer.step()

    def looked_ahead(self, parameters: Parameters, loss: Tensor) -> Parameters:
        if not self.by_optimizer:
            return super().looked_ahead(parameters, loss)
        slopes = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        return after_sgd(parameters, dict(zip(parameters, slopes, strict=True)), self.training.optimizer)

    def state(self) -> dict[str, Any]:
        return {"rates": self.rates.detach().clone(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.rates.copy_(state["rates"])
        self.optimizer.load_state_dict(state["optimizer"])


@part("step", "meta_sampler")
class MetaSampler(Meta):
    """Class rates σ(v_c), all 1/2 at first, learnt so that a step of the classifier on images drawn at these rates lowers the
    plain cross-entropy of the meta set (Ren et al. 2020, NeurIPS, section 3.3). Released code:
    jiawei-ren/BalancedMetaSoftmax-Classification at 34a61e4, data/MetaSampler.py and `meta_forward` in run_networks.py.

    Our estimate of the gradient with respect to the rates differs from theirs. Ours is the loss of a drawn image times the
    gradient of the logarithm of its probability; its mean is the gradient of the expected loss, and it needs no [B, N] matrix.
    Theirs passes through the softmax of a Gumbel draw over all N images, with the value y for the drawn image. At equal rates,
    the mean of theirs is ours times E[y·(1 − y)]·N/(N − 1), which is 1/3 for two images, by integration, and 1/8 for the 11,203
    images of CIFAR-10 at imbalance factor 200, by simulation; Adam is insensitive to such a factor. At other rates, theirs also
    has a drift: if all images help equally, so that nothing can be gained and the mean of ours is 0, it still raises the rates of
    images that are already likelier (by 0.06 of the value of a draw, for two images with probabilities of four to one).
    `tests/lt_core/test_meta_references.py` checks all of this but the 1/8.

    Other differences: the loader of that code draws up to eight batches in advance, with older rates; its meta batches walk
    through shuffled classes, where ours are drawn; and its batch norm is in training mode for meta images, too.
    """

    sampler_lr: float = param(0.01, "learning rate of the class rates (Adam)", above=0, tune=(0.01, 0.1))
    look_ahead: str = param(
        "gradient",
        "virtual step of the classifier: a plain gradient step, or a step of the optimiser with momentum and weight decay, "
        "as in the released code",
        choices=("gradient", "optimizer"),
    )

    @property
    def cost(self) -> float:
        return 1.5

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        if self.look_ahead == "optimizer" and spec.recipe.optimizer != "sgd":
            raise UserError(
                f"{spec.method.name} looks ahead with SGD, but recipe {spec.recipe.name} uses {spec.recipe.optimizer}: set "
                "look_ahead=gradient"
            )

    def bind(self, training: StepContext) -> BoundStep:
        return _MetaSampler(training, self)
