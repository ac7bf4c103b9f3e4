"""Weights and class rates learnt on a small balanced set: a step inside a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.parts import part
from lt_core.steps.base import BoundStep, Step

if TYPE_CHECKING:
    from lt_core.spec import TrialSpec
    from lt_core.training.loop import Training

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Meta(Step):
    """A step that looks at a balanced meta set: the validation split, or as many training images of each class."""

    meta_set: str = param("train", "where meta images come from", choices=("train", "validation"))
    meta_images: int = param(10, "meta images a class, from train; a class with fewer gives all", low=1)

    @property
    def cost(self) -> float:
        return 3.5

    def check(self, spec: TrialSpec) -> None:
        if self.meta_set == "validation" and not spec.data.validation:
            raise UserError(
                f"{spec.method.name} takes its meta set from a validation split and the data has none: "
                "set validation to 1 or more, or meta_set to train"
            )


class _Meta(BoundStep):
    """Draws meta batches, and evaluates the network at parameters that it does not have."""

    def __init__(self, training: Training, how: Meta) -> None:
        super().__init__(training)
        self.how, split = how, training.split
        self.validation = how.meta_set == "validation"
        labels = (split.validation if self.validation else split.train).labels
        of_class = [(labels == c).nonzero()[:, 0] for c in range(len(split.counts))]
        if not self.validation:
            drawn = torch.Generator().manual_seed(training.order.initial_seed())
            of_class = [mine[torch.randperm(len(mine), generator=drawn)[: how.meta_images].to(mine.device)] for mine in of_class]
        self.positions = torch.cat(of_class)
        self.of_image = torch.cat([torch.full((len(mine),), 1.0 / max(1, len(mine)), device=labels.device) for mine in of_class])

    def meta_batch(self) -> tuple[Tensor, Tensor]:
        """Images and labels of the meta set, every class as likely as another."""
        training = self.training
        count = training.recipe.batch_size
        places = torch.multinomial(self.of_image, count, replacement=True, generator=training.order)
        chosen = self.positions[places]
        if self.validation:
            held_out = training.split.validation
            return training.batches.normalise(held_out.pixels[chosen]), held_out.labels[chosen]
        return training.images(chosen)

    def parameters(self) -> Parameters:
        """Those of the network that are trained."""
        return {name: p for name, p in self.training.model.named_parameters() if p.requires_grad}

    def outputs_at(self, parameters: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """The network's outputs at ``parameters``. Batch norm's running statistics stay as they are."""
        training = self.training
        buffers = {name: b.clone() for name, b in training.model.named_buffers()}
        with torch.autocast(training.device.type, dtype=training.dtype, enabled=training.dtype is not None):
            return functional_call(training.model, {**parameters, **buffers}, (images,)).float()

    def looked_ahead(self, parameters: Parameters, loss: Tensor) -> Parameters:
        """``parameters`` after one plain gradient step down ``loss``, as a differentiable function of what it depends on."""
        slopes = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        return {name: p - self.training.rate * g for (name, p), g in zip(parameters.items(), slopes, strict=True)}

    def meta_loss(self, parameters: Parameters) -> Tensor:
        """Mean loss of a meta batch at ``parameters``."""
        images, labels = self.meta_batch()
        return self.training.loss_of(self.outputs_at(parameters, images), labels).mean()

    def weighted(self, weights: Tensor, losses: Tensor) -> Tensor:
        """Σ w·loss with the weights of the batch summing to one, or all of them zero."""
        total = weights.sum()
        return (weights / torch.where(total > 0, total, 1.0) * losses).sum()


class _MetaWeightNet(_Meta):
    def __init__(self, training: Training, how: MetaWeightNet) -> None:
        super().__init__(training, how)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(training.order.initial_seed())
            self.net = nn.Sequential(nn.Linear(1, 100), nn.ReLU(), nn.Linear(100, 1), nn.Sigmoid()).to(training.device)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=how.mwn_lr, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def weigh(self, losses: Tensor) -> Tensor:
        return self.net(losses.detach()[:, None])[:, 0]

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        images, labels = training.images(positions)
        parameters = self.parameters()
        losses = training.loss_of(self.outputs_at(parameters, images), labels)
        ahead = self.looked_ahead(parameters, self.weighted(self.weigh(losses), losses))
        slopes = torch.autograd.grad(self.meta_loss(ahead), list(self.net.parameters()))
        for p, slope in zip(self.net.parameters(), slopes, strict=True):
            p.grad = slope
        self.optimizer.step()
        losses = training.loss_of(training.forward(images, labels)[0], labels)
        return self.weighted(self.weigh(losses).detach(), losses)

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])


@part("step", "meta_weight_net")
class MetaWeightNet(Meta):
    """An image's weight is a function of its loss, an MLP 1-100-1 with a sigmoid, learnt so that one step of the network with
    these weights lowers the loss of the meta set (Shu et al. 2019, NeurIPS, Eq. 3 to 5). Weights of a batch sum to one.
    """

    mwn_lr: float = param(1e-5, "learning rate of the weighting function", above=0, tune=(1e-5, 1e-3))

    def bind(self, training: Training) -> BoundStep:
        return _MetaWeightNet(training, self)


class _L2RW(_Meta):
    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        images, labels = training.images(positions)
        parameters, epsilon = self.parameters(), torch.zeros(len(positions), device=images.device, requires_grad=True)
        losses = training.loss_of(self.outputs_at(parameters, images), labels)
        ahead = self.looked_ahead(parameters, (epsilon * losses).sum())
        (slope,) = torch.autograd.grad(self.meta_loss(ahead), epsilon)
        losses = training.loss_of(training.forward(images, labels)[0], labels)
        return self.weighted((-slope).relu(), losses)


@part("step", "l2rw")
class LearningToReweight(Meta):
    """An image's weight is how much a step down its loss lowers that of the meta set, or zero; weights of a batch sum to one
    (L2RW: Ren et al. 2018, ICML, Eq. 6 to 8 and 12).
    """

    def bind(self, training: Training) -> BoundStep:
        return _L2RW(training, self)


class _MetaSampler(_Meta):
    def __init__(self, training: Training, how: MetaSampler) -> None:
        super().__init__(training, how)
        self.rates = torch.zeros(len(training.split.counts), device=training.device, requires_grad=True)
        self.optimizer = torch.optim.Adam([self.rates], lr=how.sampler_lr)

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        of_class = self.rates.sigmoid()
        drawn = torch.multinomial(
            of_class.detach()[training.split.train.labels], len(positions), replacement=True, generator=training.order
        )
        images, labels = training.images(drawn)
        outputs, features = training.forward(images, labels)
        self._learn(of_class * training.split.counts.float(), features.detach(), labels)
        return training.objective(outputs, features, labels)

    def _learn(self, mass: Tensor, features: Tensor, labels: Tensor) -> None:
        """One step of the rates, down the meta loss of a classifier that has taken one step on the batch."""
        training, likely = self.training, mass / mass.sum()
        classifier = training.model.classifier
        parameters: Parameters = {name: p for name, p in classifier.named_parameters() if p.requires_grad}
        losses = training.loss_of(functional_call(classifier, parameters, (features,)).float(), labels)
        # Worth 1, with the slope of log p: the slope of the expected loss of a batch drawn at these rates.
        ahead = self.looked_ahead(parameters, (losses * likely[labels] / likely[labels].detach()).mean())
        images, truth = self.meta_batch()
        training.model.eval()  # so that the meta images leave batch norm's statistics alone
        with torch.no_grad():
            seen = training.forward(images)[1]
        training.train_mode()
        outer = F.cross_entropy(training.loss.logits(functional_call(classifier, ahead, (seen,)).float()), truth)
        (self.rates.grad,) = torch.autograd.grad(outer, self.rates)
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        return {"rates": self.rates.detach().clone(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.rates.copy_(state["rates"])
        self.optimizer.load_state_dict(state["optimizer"])


@part("step", "meta_sampler")
class MetaSampler(Meta):
    """Class rates σ(v_c), all 1/2 at first, learnt so that a step of the classifier on images drawn at these rates lowers the
    plain cross-entropy of the meta set (Ren et al. 2020, NeurIPS, section 3.3; with Balanced Softmax, BALMS).

    The paper differentiates through Gumbel-softmax draws; here the slope of the expected loss is taken by the logarithm of
    each draw's probability, which needs no [B, N] matrix.
    """

    sampler_lr: float = param(0.01, "learning rate of the rates (Adam)", above=0, tune=(0.01, 0.1))

    @property
    def cost(self) -> float:
        return 1.5

    def bind(self, training: Training) -> BoundStep:
        return _MetaSampler(training, self)
