"""What learning weights and class rates needs: a balanced meta set, and networks evaluated at other parameters than their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lt_core.data.loader import Batches, Images
from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.protocols import StepContext
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep, Step

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Meta(Step):
    """A step that uses a balanced meta set.

    It can come from three places. ``train``: images of the training subset, so that no method has more images than another.
    ``extra``: images of each class that are in neither the training subset nor the validation split, as in the papers' code, and
    the same for every imbalance factor; a class whose images are all used, such as the head class of CIFAR, contributes training
    images. ``validation``: the validation split.
    """

    meta_set: str = param(
        "train",
        "source of the meta images: the training subset, images outside it, or the validation split",
        choices=("train", "extra", "validation"),
    )
    meta_images: int = param(
        10, "meta images per class, from train or extra; a class with fewer contributes all of its images; 0: all of train", low=0
    )

    @property
    def cost(self) -> float:
        return 3.5

    @property
    def extra_images(self) -> int:
        return self.meta_images if self.meta_set == "extra" else 0

    def check(self, spec: TrialSpec) -> None:
        if self.meta_set == "validation" and not spec.data.validation:
            raise UserError(
                f"{spec.method.name} takes its meta set from a validation split, but the data has none: set validation to 1 "
                "or more, or meta_set to train"
            )
        if self.meta_set == "extra" and not self.meta_images:
            raise UserError(f"{spec.method.name} takes extra meta images, but meta_images is 0: set it to 1 or more")


class MetaStep(BoundStep):
    """Draws meta batches, and evaluates the network at other parameters than its own."""

    def __init__(self, training: StepContext, config: Meta) -> None:
        super().__init__(training)
        self.config, split = config, training.split
        sources: dict[str, Images | None] = {"train": split.train, "extra": split.extra, "validation": split.validation}
        meta = sources[config.meta_set]
        assert meta is not None, "draw_images did not receive the extra images"
        self.meta = meta
        self.batches = Batches(meta, training.recipe, training.batches) if config.meta_set == "extra" else training.batches
        of_class = [(meta.labels == c).nonzero()[:, 0] for c in range(len(split.counts))]
        if config.meta_set == "train" and config.meta_images:
            drawn = torch.Generator().manual_seed(training.order.initial_seed())
            of_class = [
                mine[torch.randperm(len(mine), generator=drawn)[: config.meta_images].to(mine.device)] for mine in of_class
            ]
        self.positions = torch.cat(of_class)
        shares = [torch.full((len(mine),), 1.0 / max(1, len(mine)), device=meta.labels.device) for mine in of_class]
        self.of_image = torch.cat(shares)

    def meta_batch(self) -> tuple[Tensor, Tensor]:
        """Images and labels of the meta set, all classes equally likely; augmented unless they come from the validation split."""
        training, chosen = self.training, self.positions[self._drawn(self.training.recipe.batch_size)]
        if self.config.meta_set == "validation":
            return training.batches.for_evaluation(self.meta.pixels[chosen]), self.meta.labels[chosen]
        return training.augmented(*self.batches.train(chosen, training.augment))

    def _drawn(self, count: int) -> Tensor:
        """Positions of a batch in the meta set."""
        generator = self.training.order
        if self.config.meta_set == "extra":  # as in the papers' code: shuffled, and at most all of them
            return torch.randperm(len(self.positions), generator=generator, device=self.positions.device)[:count]
        return torch.multinomial(self.of_image, count, replacement=True, generator=generator)

    def parameters(self) -> Parameters:
        """The parameters of the network that are trained, by name."""
        return {name: p for name, p in self.training.model.named_parameters() if p.requires_grad}

    def outputs_at(self, parameters: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """The network's outputs at ``parameters``. Batch norm's running statistics do not change."""
        return self.training.traceless(self.training.model, images, parameters)

    def looked_ahead(self, parameters: Parameters, loss: Tensor) -> Parameters:
        """``parameters`` after one plain gradient step that reduces ``loss``, differentiable in everything that it depends on."""
        slopes = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        return {name: p - self.training.rate * g for (name, p), g in zip(parameters.items(), slopes, strict=True)}

    def meta_loss(self, parameters: Parameters) -> Tensor:
        """Mean loss of a meta batch at ``parameters``."""
        images, labels = self.meta_batch()
        return self.training.loss_of(self.outputs_at(parameters, images), labels).mean()
