"""The base classes of steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from lt_core.parts import Part
from lt_core.protocols import StepContext


class BoundStep(ABC):
    """A step bound to one training. ``self(positions)`` is the loss of the batch at these positions of the training subset, to
    be differentiated; it may draw further images, keep state, and use ``training``.
    """

    #: Like `lt_core.parts.Part.captured`, for what the step does besides the training's own work, without `report` and `state`.
    captured: ClassVar[bool] = False
    #: The same promise for a CPU alone, as long as no GPU has shown that recording such a step works and pays there.
    captured_on_cpu: ClassVar[bool] = False

    def __init__(self, training: StepContext) -> None:
        self.training = training

    @abstractmethod
    def __call__(self, positions: Tensor) -> Tensor:
        """The scalar loss that the optimiser reduces."""

    def report(self) -> dict[str, float]:
        """Figures of the epoch that ends, for the learning curve; called once per epoch."""
        return {}

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, besides the training's own state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027 (most steps have no state)
        """The inverse of `state`."""


class Step(Part):
    """How a batch becomes a loss: directly, mixed with another batch, or with weights that are learnt during training.

    A deferred schedule also defers the step: before that, training is plain.
    """

    #: Whether the step uses the network only through `StepContext.forward` and leaves its gradients to the optimiser, so that
    #: several processes can divide the work.
    divisible: ClassVar[bool] = False

    @property
    def cost(self) -> float:
        """Cost of a step, in units of a plain step, for estimates."""
        return 1.0

    @property
    def whole_batch(self) -> str:
        return "needs more than the mean loss of a batch"

    @property
    def extra_images(self) -> int:
        """Images per class beyond the training subset that the step uses."""
        return 0

    def backbone(self, backbone: nn.Module) -> nn.Module:
        """The backbone that the step needs, made from the plain one.

        Raises:
            UserError: the backbone does not have what the step needs.
        """
        return backbone

    @abstractmethod
    def bind(self, training: StepContext) -> BoundStep:
        """The step for ``training``."""
