"""The plain step, which most methods use."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.steps.base import BoundStep, Step


class _Plain(BoundStep):
    captured: ClassVar[bool] = True

    def __call__(self, positions: Tensor) -> Tensor:
        images, labels = self.training.images(positions)
        return self.training.objective(*self.training.forward(images, labels), labels)


@part("step", "plain")
class Plain(Step):
    """The mean weighted loss of the batch."""

    divisible: ClassVar[bool] = True

    @property
    def whole_batch(self) -> str:
        return ""

    def bind(self, training: StepContext) -> BoundStep:
        return _Plain(training)
