"""The classifier's turn and the generators' turn (ALT of Sahoo et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lt_core.generation import Translation, fixed, to_pixels
from lt_core.protocols import StepContext
from lt_core.steps.base import BoundStep, Step


class _Alternating(BoundStep):
    def __init__(self, training: StepContext, config: Alternating) -> None:
        super().__init__(training)
        self.config, self.loss = config, torch.zeros(())
        self.turn = -1  # the epoch before which the generators had theirs; checkpoints are written between epochs

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        if self.turn != training.epoch and self.config.translation.gans:
            self._generators_turn()
        self.turn = training.epoch
        pixels, labels = training.batches.pixels(positions, training.augment), training.batches.labels[positions]
        made = (positions >= self.config.real).nonzero()[:, 0]
        if len(made):
            pixels[made] = self.config.translation.make(pixels[made], labels[made])
        images, labels = training.augmented(training.batches.normalise(pixels), labels)
        return training.objective(*training.forward(images, labels), labels)

    def _generators_turn(self) -> None:
        training = self.training
        training.model.eval()
        with fixed(training.model):
            self.loss = self.config.translation.run_epoch(self._judge, self.config.gamma)
        training.train_mode()

    def _judge(self, made: Tensor, labels: Tensor) -> Tensor:
        """The classifier's mean loss on made images, which a gradient can pass."""
        training = self.training
        outputs, _ = training.forward(training.batches.normalise(to_pixels(made)), labels)
        return training.loss_of(outputs, labels).mean()

    def report(self) -> dict[str, float]:
        return {"generator_loss": float(self.loss)} if self.config.translation.gans else {}

    def state(self) -> dict[str, Any]:
        return {"translation": self.config.translation.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.config.translation.restore(state["translation"])


@dataclass(frozen=True)
class Alternating(Step):
    """The loss of a batch in which some images of the largest class are translated into other classes. Before each epoch of the
    classifier, the generators are trained for one with the classifier fixed.

    Args:
        real: number of real training images; those after them are translated.
        gamma: the generators' classification loss on smaller classes is divided by it.
    """

    translation: Translation
    real: int
    gamma: float

    def bind(self, training: StepContext) -> BoundStep:
        return _Alternating(training, self)
