"""Learning from unlabelled images: pseudo-labels, mean teacher, FixMatch."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.data.loader import Batches
from lt_core.data.longtail import ideal_sizes
from lt_core.data.strong import StrongAugment
from lt_core.data.strong_pools import POOLS
from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep, Step

_MEMORY = 128  # batches whose mean prediction stands for the model's (CReST's public code)


@dataclass(frozen=True)
class Semi(Step):
    """Adds λ_u times a term on a batch of unlabelled images to the loss of the labelled ones."""

    unsup_weight: float = param(1.0, "weight λ_u of the unlabelled term; 0: labelled images only", low=0)
    unsup_ratio: int = param(7, "μ: unlabelled images per step, as a multiple of the batch size", low=1, tune=(1, 2, 7))
    views: ClassVar[int] = 1  # passes of an unlabelled image

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
    """Draws unlabelled batches: shuffled passes over the stream, from a separate generator."""

    def __init__(self, training: StepContext, config: Semi) -> None:
        super().__init__(training)
        self.config, split = config, training.split
        assert split.unlabelled is not None
        true = int(split.labelled_counts.sum())  # pseudo-labelled images stand behind those of true labels
        stream = split.unlabelled
        if training.spec.data.unlabelled_labelled:
            stream = stream.followed_by(split.train.at(slice(true)).nameless())
        self.stream = Batches(stream, training.recipe, normalised_as=training.batches)
        self.draw = torch.Generator(training.device).manual_seed(training.order.initial_seed() + 500_009)
        self.strong_draw = torch.Generator().manual_seed(training.order.initial_seed() + 500_029)
        self.left = torch.empty(0, dtype=torch.int64, device=stream.labels.device)
        self.totals, self.steps = torch.zeros(2, device=stream.labels.device), 0

    def unlabelled(self, count: int) -> Tensor:
        """Positions in the stream of the next ``count`` images."""
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
        """Record the share of unlabelled images that take part."""
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


class BoundFixMatch(BoundSemi):
    def __init__(self, training: StepContext, config: FixMatch) -> None:
        super().__init__(training, config)
        self.fix, counts = config, training.split.labelled_counts.float()
        self.strong = StrongAugment(POOLS[config.strong_augment])
        classes = len(counts)
        sizes = counts if config.align_to == "counts" else ideal_sizes(training.spec.data, counts)
        self.target = (sizes / sizes.sum()) ** (0.0 if config.align is None else config.align)
        self.target = self.target / self.target.sum()
        self.said = torch.full((_MEMORY, classes), 1 / classes, device=counts.device)  # mean predictions of the last batches
        self.place = 0
        self.pass_rates = pass_rates(config.unlabelled_sampling, counts)

    def both(self, images: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
        return self.total(*self.views(images, labels, positions), labels)

    def views(self, images: Tensor, labels: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and features of the labelled images, then of the weak, then of the strong views."""
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
        """Predictions moved towards the target distribution; the model's own is that of the batches before this one."""
        if self.fix.align is None:
            return said
        moved = said * (self.target + 1e-6) / (self.said.mean(dim=0) + 1e-6)
        self.said[self.place] = said.mean(dim=0)
        self.place = (self.place + 1) % _MEMORY
        return moved / moved.sum(dim=1, keepdim=True)

    def passes(self, guess: Tensor) -> Tensor:
        """1 for a pseudo-labelled image that the unlabelled sampler lets pass, 0 else: [B]."""
        if self.fix.unlabelled_sampling == "random":
            return torch.ones_like(guess, dtype=torch.float32)
        rates = self.pass_rates
        if self.fix.unlabelled_sampling == "bis":
            share = 1 - (self.training.epoch / self.training.recipe.epochs) ** 2
            rates = share + (1 - share) * rates
        drawn = torch.rand(len(guess), generator=self.draw, device=guess.device)
        return (drawn < rates[guess]).float()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "said": self.said.clone(), "place": self.place}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.said.copy_(state["said"])
        self.place = state["place"]


def pass_rates(sampling: str, counts: Tensor) -> Tensor:
    """Probability with which a pseudo-label of each class passes: [C].

    With r_c the size of the class of opposite rank over the largest, mean is r_c^(1/3) and reverse r_c^(2/3), so that the head
    is thinned out (He et al. 2021, public code); bis moves from random to mean. The unlabelled set is assumed to have the
    labelled set's profile, because training does not know its own.
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
