"""What all steps on unlabelled images share: the stream that these are drawn from, and the weight of their term in the loss."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from lt_core.data.loader import Batches
from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.protocols import StepContext
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep, Step


@dataclass(frozen=True)
class Semi(Step):
    """Adds λ_u times a term on a batch of unlabelled images to the loss of the labelled ones. Base of all such steps."""

    unsup_weight: float = param(1.0, "weight λ_u of the unlabelled term; 0: labelled images only", low=0)
    unsup_ratio: int = param(7, "μ: unlabelled images per step, as a multiple of the batch size", low=1, tune=(1, 2, 7))
    views: ClassVar[int] = 1  # forward passes per unlabelled image

    @property
    def cost(self) -> float:
        return 1.0 + self.views * self.unsup_ratio

    def check(self, spec: TrialSpec) -> None:
        if not spec.data.semi_supervised:
            raise UserError(
                f"{spec.method.name} learns from unlabelled images, but the data has none: set label_fraction below 1, or "
                "unlabelled_ratio above 0"
            )


class BoundSemi(BoundStep):
    """Draws unlabelled batches in shuffled passes over the stream, with a generator of its own."""

    def __init__(self, training: StepContext, config: Semi) -> None:
        super().__init__(training)
        self.config, split = config, training.split
        assert split.unlabelled is not None
        true = int(split.labelled_counts.sum())  # images with pseudo-labels follow those with true labels
        stream = split.unlabelled
        if training.spec.data.unlabelled_labelled:
            stream = stream.followed_by(split.train.at(slice(true)).nameless())
        self.stream = Batches(stream, training.recipe, normalised_as=training.batches)
        self.draw = torch.Generator(training.device).manual_seed(training.order.initial_seed() + 500_009)
        self.strong_draw = torch.Generator().manual_seed(training.order.initial_seed() + 500_029)
        self.left = torch.empty(0, dtype=torch.int64, device=stream.labels.device)
        self.totals = torch.zeros(2, device=stream.labels.device)  # images that took part, images seen

    def unlabelled(self, count: int) -> Tensor:
        """Positions in the stream of the next ``count`` images: int64 [count]."""
        while len(self.left) < count:
            order = torch.randperm(len(self.stream.labels), generator=self.draw, device=self.left.device)
            self.left = torch.cat([self.left, order])
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def __call__(self, positions: Tensor) -> Tensor:
        training, config = self.training, self.config
        images, labels = training.images(positions)
        if config.unsup_weight == 0:
            return training.objective(*training.forward(images, labels), labels)
        return self.both(images, labels, self.unlabelled(config.unsup_ratio * len(positions)))

    @abstractmethod
    def both(self, images: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        """The loss of labelled ``images`` and of the unlabelled ones at ``positions`` in the stream."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The model's predictions, without gradient: [B, C]."""
        loss = self.training.loss
        return loss.probabilities(loss.logits(outputs.detach()))

    def note(self, mask: Tensor) -> None:
        """Count the unlabelled images that take part, for the report: ``mask`` [B] is 1 for these and 0 for others."""
        self.totals += torch.stack([mask.sum(), torch.full_like(mask[0], len(mask))])

    def report(self) -> dict[str, float]:
        if self.config.unsup_weight == 0:
            return {}
        taken, seen = self.totals.tolist()
        self.totals.zero_()
        return {"mask_rate": taken / seen if seen else math.nan}

    def state(self) -> dict[str, Any]:
        return {"draw": self.draw.get_state(), "strong_draw": self.strong_draw.get_state(), "left": self.left.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        self.draw.set_state(state["draw"])
        self.strong_draw.set_state(state["strong_draw"])
        self.left = state["left"].to(self.left)
