"""The classifier's turn and the generators' turn (ALT of Sahoo et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lt_core.generation import Translation, to_pixels
from lt_core.steps.base import BoundStep, Step

if TYPE_CHECKING:
    from lt_core.training.loop import Training


class _Alternating(BoundStep):
    def __init__(self, training: Training, how: Alternating) -> None:
        super().__init__(training)
        self.how, self.loss = how, torch.zeros(())

    def __call__(self, positions: Tensor) -> Tensor:
        training, translation = self.training, self.how.translation
        if translation.epoch == training.epoch:  # the epoch begins, and theirs comes first
            self._generators_turn()
        images, labels = training.images(positions)
        if training.epoch >= round(self.how.start * training.recipe.epochs):
            made, theirs = self._translated(len(positions))
            images, labels = torch.cat([images, made]), torch.cat([labels, theirs])
        return training.objective(*training.forward(images, labels), labels)

    def _generators_turn(self) -> None:
        training = self.training
        training.model.eval()
        trained = [p for p in training.model.parameters() if p.requires_grad]
        for p in trained:
            p.requires_grad_(False)
        self.loss = self.how.translation.run_epoch(self._judge, self.how.gamma)
        for p in trained:
            p.requires_grad_(True)
        training.train_mode()

    def _judge(self, made: Tensor, labels: Tensor) -> Tensor:
        """The classifier's mean loss on made images, which a gradient can pass."""
        training = self.training
        outputs, _ = training.forward(training.batches.normalise(to_pixels(made)), labels)
        return training.loss_of(outputs, labels).mean()

    def _translated(self, count: int) -> tuple[Tensor, Tensor]:
        """The made images that go with ``count`` real ones, normalised, and their labels: an epoch has as many of each class as
        the class lacks, on average.
        """
        training, translation = self.training, self.how.translation
        missing = translation.missing
        share = count * missing.sum() / len(training.split.train)
        number = int(share) + int(torch.rand((), generator=training.order, device=missing.device) < share % 1)
        labels = torch.multinomial(missing.float(), max(1, number), replacement=True, generator=training.order)[:number]
        sources = translation.sources(number, training.order)
        made = to_pixels(translation.make(training.batches.pixels(sources, training.augment), labels)).round().clamp(0, 255)
        images = training.batches.normalise(made)
        return training.augmentation(images, labels, training.augment) if training.augmentation else images, labels

    def report(self) -> dict[str, float]:
        return {"generator_loss": float(self.loss)}

    def state(self) -> dict[str, Any]:
        return {"translation": self.how.translation.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.how.translation.restore(state["translation"])


@dataclass(frozen=True)
class Alternating(Step):
    """The loss of real and translated images together; before each epoch the generators have theirs, with the classifier fixed.

    Args:
        gamma: the generators' classification loss on smaller classes is divided by it.
        start: fraction of training before which batches are real.
    """

    translation: Translation
    gamma: float
    start: float

    def bind(self, training: Training) -> BoundStep:
        return _Alternating(training, self)
