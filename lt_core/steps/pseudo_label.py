"""Pseudo-labels: the model's confident predictions serve as labels (Lee 2013)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.fields import param
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.steps.base import BoundStep
from lt_core.steps.semi import BoundSemi, Semi


class _PseudoLabel(BoundSemi):
    def both(self, images: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        training, config, count = self.training, self.config, len(images)
        assert isinstance(config, PseudoLabel)
        weak = self.stream.normalise(self.stream.pixels(positions, self.draw))
        outputs, features = training.forward(torch.cat([images, weak]), torch.cat([labels, labels.new_zeros(len(weak))]))
        confidence, guess = self.probabilities(outputs[count:]).max(dim=1)
        mask = (confidence >= config.threshold).float()
        self.note(mask)
        term = (F.cross_entropy(training.loss.logits(outputs[count:]), guess, reduction="none") * mask).mean()
        return training.objective(outputs[:count], features[:count], labels) + config.unsup_weight * term


@part("step", "pseudo_label")
class PseudoLabel(Semi):
    """The model's confident prediction serves as the label of the same view (Lee 2013, ICML workshops; threshold as in
    FixMatch).
    """

    threshold: float = param(
        0.95, "τ: confidence above which a prediction becomes a pseudo-label", low=0, high=1, tune=(0.8, 0.9, 0.95)
    )

    def bind(self, training: StepContext) -> BoundStep:
        return _PseudoLabel(training, self)
