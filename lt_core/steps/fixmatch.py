"""FixMatch, with distribution alignment and samplers of pseudo-labels (Sohn et al. 2020; Wei et al. 2021; He et al. 2021)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.data.longtail import ideal_sizes
from lt_core.data.strong import StrongAugment
from lt_core.data.strong_pools import POOLS
from lt_core.fields import param
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.steps.alignment import Alignment
from lt_core.steps.base import BoundStep
from lt_core.steps.semi import BoundSemi, Semi


class BoundFixMatch(BoundSemi):
    def __init__(self, training: StepContext, config: FixMatch) -> None:
        super().__init__(training, config)
        self.fix, counts = config, training.split.labelled_counts.float()
        self.strong = StrongAugment(POOLS[config.strong_augment])
        sizes = counts if config.align_to == "counts" else ideal_sizes(training.spec.data, counts)
        self.alignment = Alignment(sizes, power=0.0 if config.align is None else config.align)
        self.pass_rates = pass_rates(config.unlabelled_sampling, counts)

    def both(self, images: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        return self.total(*self.views(images, labels, positions), labels)

    def views(self, images: Tensor, labels: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and features of the labelled images, followed by those of the weak and then of the strong views."""
        training, unlabelled = self.training, len(positions)
        weak = self.stream.pixels(positions, self.draw)
        views = [weak, *(self.strong_view(positions, weak) for _ in range(self.fix.strong_views))]
        # One pass, so that batch norm sees all batches together.
        everything = torch.cat([images, *map(self.stream.normalise, views)])
        return training.forward(everything, torch.cat([labels, labels.new_zeros(len(views) * unlabelled)]))

    def strong_view(self, positions: Tensor, weak: Tensor) -> Tensor:
        """A strong view of the images at ``positions`` in the stream, whose weak view is ``weak``."""
        return self.strong.view(self.stream, positions, weak, self.draw, self.strong_draw)

    def split(self, outputs: Tensor, labelled: int) -> tuple[Tensor, Tensor]:
        """``outputs`` of the weak views [U, C], and of the strong ones [V·U, C], all first strong views first."""
        weak, *strong = outputs[labelled:].chunk(1 + self.fix.strong_views)
        return weak, torch.cat(strong)

    def total(self, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """FixMatch's loss from the output of `views`."""
        training, config, count = self.training, self.fix, len(labels)
        weak, strong = self.split(outputs, count)
        confidence, guess = self.aligned(self.probabilities(weak)).max(dim=1)
        mask = (confidence >= config.threshold).float() * self.passes(guess)
        self.note(mask)
        views = config.strong_views
        losses = F.cross_entropy(training.loss.logits(strong), guess.repeat(views), reduction="none") * mask.repeat(views)
        return training.objective(outputs[:count], features[:count], labels) + config.unsup_weight * losses.mean()

    def aligned(self, said: Tensor) -> Tensor:
        """Predictions [B, C], moved towards the target distribution if the method aligns them."""
        return said if self.fix.align is None else self.alignment(said)

    def passes(self, guess: Tensor) -> Tensor:
        """1 for each pseudo-labelled image that the unlabelled sampler lets pass, 0 for others: [B]."""
        if self.fix.unlabelled_sampling == "random":
            return torch.ones_like(guess, dtype=torch.float32)
        rates = self.pass_rates
        if self.fix.unlabelled_sampling == "bis":
            share = 1 - (self.training.epoch / self.training.recipe.epochs) ** 2
            rates = share + (1 - share) * rates
        drawn = torch.rand(len(guess), generator=self.draw, device=guess.device)
        return (drawn < rates[guess]).float()

    def state(self) -> dict[str, Any]:
        return {**super().state(), **self.alignment.state()}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.alignment.restore(state)


def pass_rates(sampling: str, counts: Tensor) -> Tensor:
    """Probability with which a pseudo-label of each class passes: [C].

    Let r_c be the size of the class of opposite rank divided by that of the largest class. The probability is r_c^(1/3) for mean
    and r_c^(2/3) for reverse, so that the head is thinned out (He et al. 2021, public code); bis moves from random to mean. The
    unlabelled set is assumed to have the labelled set's profile, because training does not know its own.
    """
    order = counts.argsort(descending=True, stable=True)
    opposite = torch.empty_like(counts)
    opposite[order] = counts[order.flip(0)]
    return (opposite / counts.max()) ** {"random": 0.0, "mean": 1 / 3, "reverse": 2 / 3, "bis": 1 / 3}[sampling]


@part("step", "fixmatch")
class FixMatch(Semi):
    """The confident prediction on a weak view serves as the label of a strong view (Sohn et al. 2020, NeurIPS, Eq. 3 and 4).

    With ``align``, predictions q are first replaced by q · target/mean, renormalised, where target is the labelled class
    distribution to the power t and mean is the model's mean prediction over the last 128 batches: distribution alignment
    (Berthelot et al. 2020), or that of CReST+ if t < 1 (Wei et al. 2021, section 3.3). Label and threshold are computed
    afterwards. ``unlabelled_sampling`` filters pseudo-labels by class, and ``strong_views`` averages the loss over several strong
    views (Bi-Sampling: He et al. 2021; ABC: Lee et al. 2021).
    """

    beyond_features: ClassVar[str] = "changes pictures"

    threshold: float = param(
        0.95, "τ: confidence above which a prediction becomes a pseudo-label", low=0, high=1, tune=(0.8, 0.9, 0.95)
    )
    align: float | None = param(
        None, "t: power of the labelled class distribution to align with; none: no alignment", low=0, high=1
    )
    unlabelled_sampling: str = param(
        "random",
        "pseudo-labels that are kept: all, fewer of the head classes, or fewer still",
        choices=("random", "mean", "reverse", "bis"),
    )
    strong_views: int = param(1, "strong views per unlabelled image", low=1)
    strong_augment: str = param(
        "always",
        "construction of strong views: as in a method's public code, or always two operations on the crop of the weak view",
        choices=tuple(POOLS),
    )
    align_to: str = param(
        "counts",
        "labelled class distribution to align with: that of the labelled images, or the ideal profile of the imbalance factor",
        choices=("counts", "ideal"),
    )

    @property
    def cost(self) -> float:
        return 1.0 + (1 + self.strong_views) * self.unsup_ratio

    def bind(self, training: StepContext) -> BoundStep:
        return BoundFixMatch(training, self)
