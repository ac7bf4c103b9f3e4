"""Mean teacher: the averaged model's predictions are the target (Tarvainen and Valpola 2017)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep
from lt_core.steps.semi import BoundSemi, Semi


class _MeanTeacher(BoundSemi):
    def both(self, images: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        training, config, count = self.training, self.config, len(images)
        assert isinstance(config, MeanTeacher) and training.averaged is not None
        ours, theirs = (self.stream.normalise(self.stream.pixels(positions, self.draw)) for _ in range(2))
        outputs, features = training.forward(torch.cat([images, ours]), torch.cat([labels, labels.new_zeros(len(ours))]))
        taught = self.probabilities(self.taught(theirs))
        loss = training.loss
        term = (loss.probabilities(loss.logits(outputs[count:])) - taught).square().mean()
        self.note(torch.ones(len(ours), device=ours.device))
        ramp = min(1.0, training.epoch / max(1.0, config.ramp * training.recipe.epochs)) if config.ramp else 1.0
        weight = config.unsup_weight * config.consistency * math.exp(-5 * (1 - ramp) ** 2)
        return training.objective(outputs[:count], features[:count], labels) + weight * term

    def taught(self, images: Tensor) -> Tensor:
        """Outputs of the averaged network in training mode: [B, C]. Its statistics of batch norm stay as they are."""
        teacher = self.training.averaged
        assert teacher is not None
        teacher.train()
        with torch.no_grad():
            return self.training.traceless(teacher, images)


@part("step", "mean_teacher")
class MeanTeacher(Semi):
    """The target is the averaged model's prediction on another view, with a squared distance whose weight ramps up as
    exp(−5(1 − t)²) (Tarvainen and Valpola 2017, NeurIPS, section 3).
    """

    consistency: float = param(100.0, "weight of the mean squared distance after the ramp-up", low=0, tune=(10.0, 100.0))
    ramp: float = param(0.4, "fraction of training over which the weight ramps up", low=0, high=1)
    views: ClassVar[int] = 2

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        if not spec.recipe.ema:
            raise UserError(
                f"{spec.method.name} learns from averaged weights, but recipe {spec.recipe.name} does not average them: set "
                "ema in the recipe"
            )

    def bind(self, training: StepContext) -> BoundStep:
        return _MeanTeacher(training, self)
