"""Class-rebalancing self-training (Wei et al. 2021, CVPR): generations that add pseudo-labelled images, rare classes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from lt_core.data.loader import Split
from lt_core.data.longtail import ideal_sizes
from lt_core.errors import UserError
from lt_core.features import probabilities_of
from lt_core.fields import param
from lt_core.parts import part
from lt_core.spec import TrialSpec
from lt_core.stages.base import Stage, StageContext, Stages


def keep_rates(counts: Tensor, alpha: float) -> Tensor:
    """μ_c = (N_{C+1−r}/N_1)^α for the class of rank r by size, from class sizes [C] in any unit: [C], label order (Eq. 1)."""
    order = counts.argsort(descending=True, stable=True)
    rates = torch.empty_like(counts)
    rates[order] = (counts[order.flip(0)] / counts.max()) ** alpha
    return rates


def select(probabilities: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
    """Positions and labels of the images to add: for each class c, the int(count · μ_c) most confident of those predicted as c.

    Args:
        probabilities: [U, C] of the unlabelled images.
        rates: μ, [C].
    """
    confidence, guess = probabilities.max(dim=1)
    chosen = []
    for label in range(probabilities.shape[1]):
        mine = (guess == label).nonzero()[:, 0]
        best = mine[confidence[mine].argsort(descending=True, stable=True)]
        chosen.append(best[: int(len(mine) * float(rates[label]))])
    positions = torch.cat(chosen)
    return positions, guess[positions]


def align_powers(generations: int, t_min: float) -> list[float]:
    """t of each generation, from 1 to t_min in equal steps; for a single generation it is 1 (section 3.3)."""
    return [1 - (g / max(1, generations - 1)) * (1 - t_min) for g in range(generations)]


@part("stages", "crest")
class Crest(Stages):
    """Train, predict the unlabelled images, keep the most confident predictions of each class c at the rate μ_c, add these images
    to the labelled set, and train again from scratch. The pseudo-labels of each generation replace those of the one before.
    CReST+ also aligns predictions, in later generations with a more uniform distribution (``progressive``).

    The public code uses the ideal profile γ^(−l/(L−1)) where the paper uses N_l, the number of labelled images, which is that
    profile rounded up. With 10 % of the labels, the rates differ by up to 6 % on CIFAR-10 and 26 % on CIFAR-100.
    """

    generations: int = param(6, "total number of trainings", low=1, tune=(2, 4, 6))
    crest_alpha: float = param(
        1 / 3, "exponent α of the class rates; 0 keeps all predictions", low=0, tune=(0.2, 1 / 3, 0.5, 1.0)
    )
    crest_profile: str = param(
        "counts",
        "class sizes for rates and targets: those of the labelled images, or the ideal profile of the imbalance factor",
        choices=("counts", "ideal"),
    )
    progressive: bool = param(False, "progressive distribution alignment, with t falling from 1 to crest_t_min (CReST+)")
    crest_t_min: float = param(0.5, "t in the last generation", low=0, high=1, tune=(0.0, 0.5, 0.8))
    rebalance: bool = param(True, "keep pseudo-labels by class rates; false: keep all, as in plain self-training")

    def check(self, spec: TrialSpec) -> None:
        if not spec.data.semi_supervised:
            raise UserError(
                f"{spec.method.name} needs unlabelled images, but the data has none: set label_fraction below 1, or "
                "unlabelled_ratio above 0"
            )
        if self.progressive and spec.method.params.get("step") != "fixmatch":
            raise UserError(
                f"{spec.method.name}: progressive alignment works only with FixMatch: set step=fixmatch, or progressive=false"
            )

    def epochs(self, spec: TrialSpec) -> int:
        return self.generations * spec.recipe.epochs

    def trainings(self, context: StageContext) -> Iterator[Stage]:
        split = context.split
        sizes = split.counts if self.crest_profile == "counts" else ideal_sizes(context.spec.data, split.counts)
        rates = keep_rates(sizes, self.crest_alpha if self.rebalance else 0.0)
        assert split.unlabelled is not None
        for number, power in enumerate(align_powers(self.generations, self.crest_t_min)):
            spec, seed = self._generation(context.spec, power), context.spec.seed + 1_000_003 * number
            training = context.training(spec=spec, split=split, seed=seed)
            yield Stage(training)
            if number < self.generations - 1:
                split = self._grown(context.split, *select(probabilities_of(training, split.unlabelled), rates))

    def _generation(self, spec: TrialSpec, power: float) -> TrialSpec:
        if not self.progressive:
            return spec
        aligned = {"align": power, "align_to": self.crest_profile}
        return replace(spec, method=replace(spec.method, params={**spec.method.params, **aligned}))

    def _grown(self, split: Split, positions: Tensor, labels: Tensor) -> Split:
        """``split`` with the unlabelled images at ``positions`` after the labelled ones; they also stay in the unlabelled set."""
        assert split.unlabelled is not None
        train = split.train.followed_by(replace(split.unlabelled.at(positions), labels=labels))
        counts = split.counts + torch.bincount(labels, minlength=len(split.counts))
        return replace(split, train=train, counts=counts, true_counts=split.counts)
