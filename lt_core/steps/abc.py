"""Auxiliary balanced classifier (Lee, Shin and Kim 2021, NeurIPS)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.models.heads import TwoClassifiers
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep
from lt_core.steps.fixmatch import BoundFixMatch, FixMatch


def kept(counts: Tensor, progress: float = 1.0) -> Tensor:
    """Probability with which an image of each class is included, 1 − t·(1 − n_min/n_c): [C]. At t = 1 classes are balanced."""
    return 1 - progress * (1 - counts.min() / counts)


class _Auxiliary(BoundFixMatch):
    def __init__(self, training: StepContext, config: AuxiliaryBalanced) -> None:
        super().__init__(training, config)
        self.weight, self.counts = config.aux_weight, training.split.labelled_counts.float()

    def both(self, images: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        training, classifier = self.training, self.training.model.classifier
        assert isinstance(classifier, TwoClassifiers)
        auxiliary, features = self.views(images, labels, positions)
        with training.autocast():
            main = classifier.main(features).float()
        return self.total(main, features, labels) + self.weight * self.balanced(auxiliary, labels)

    def balanced(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """L_cls + L_con of the auxiliary classifier's ``outputs`` of labelled, weak and strong views."""
        count, progress = len(labels), self.training.epoch / self.training.epochs
        weak, strong = self.split(outputs, count)
        said = self.probabilities(weak)
        confidence, guess = said.max(dim=1)
        drawn = self._mask(kept(self.counts)[labels])
        trusted = self._mask(kept(self.counts, progress)[guess]) * (confidence >= self.fix.threshold)
        supervised = F.cross_entropy(outputs[:count], labels, reduction="none") * drawn
        # The target is the whole prediction for the weak view, so that the auxiliary classifier is not driven to certainty.
        views = self.fix.strong_views
        consistency = F.cross_entropy(strong, said.repeat(views, 1), reduction="none") * trusted.repeat(views)
        return supervised.mean() + views * consistency.mean()  # the sum over views of each view's mean

    def _mask(self, rates: Tensor) -> Tensor:
        return (torch.rand(len(rates), generator=self.draw, device=rates.device) < rates).float()


@part("step", "abc")
class AuxiliaryBalanced(FixMatch):
    """FixMatch on the main classifier, plus λ·(L_cls + L_con) of an auxiliary one, which is evaluated (Eq. 1 to 4).

    L_cls is the cross-entropy of labelled images, each of which is included with probability n_min/n_y. L_con is the
    cross-entropy between the auxiliary predictions on a weak view, if confident, and on a strong view, each included with a
    probability that falls from 1 towards n_min/n_q over training; it is summed over the strong views. Both terms also train the
    features.
    """

    aux_weight: float = param(1.0, "weight λ of the auxiliary classifier's losses", low=0)

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        if spec.method.params["head"] != "auxiliary":
            raise UserError(f"{spec.method.name}: step abc trains an auxiliary classifier: set head=auxiliary")

    def bind(self, training: StepContext) -> BoundStep:
        return _Auxiliary(training, self)
