"""Joint generation and classification (Sahoo et al. 2020, ECCV workshops): images of small classes made of the largest one's.

The authors have published no code. What we have of their text is the objective

    L = L_GAN(G_B→A, D_A) + L_GAN(G_A→B, D_B) + β(L_cyc(A) + L_cyc(B)) + α(L_ide(A) + L_ide(B)) + L_cls^A + L_cls^B

with the minority's L_cls weighted by 1/γ, and two modes, AUG and ALT. The rest is our reading, said where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from lt_core.data.loader import Split
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.generation import Objective, Translation, TranslatorTraining, filled, pictures
from lt_core.models import build_model
from lt_core.models.cyclegan import PatchDiscriminator, Translator
from lt_core.models.flops import forward_flops
from lt_core.models.heads import LinearHead
from lt_core.parts import NEUTRAL, part
from lt_core.recipes import Recipe
from lt_core.stages.base import Lab, Stages
from lt_core.steps.alternating import Alternating

if TYPE_CHECKING:
    from lt_core.spec import TrialSpec
    from lt_core.training.loop import Training


@dataclass(frozen=True)
class Joint(Stages):
    """A CycleGAN between the largest class A and each smaller class B; translations of A's images fill the smaller ones up.

    The paper has two classes, and so one CycleGAN. With more there is one for each smaller class.
    """

    gan_share: float = param(
        1.0,
        "share of the largest class up to which translated images fill the others; 0 adds none",
        low=0,
        high=1,
        tune=(0.5, 1.0),
    )
    identity_weight: float = param(5.0, "α, weight of the identity loss", low=0, tune=(0.0, 1.0, 5.0))
    cycle_weight: float = param(10.0, "β, weight of cycle consistency", low=0, tune=(1.0, 5.0, 10.0))
    minority_gamma: float = param(
        1.0, "γ: images of smaller classes, made ones too, weigh 1/γ in the classification loss", above=0, tune=(0.25, 0.5, 1.0)
    )
    gan_lr: float = param(2e-4, "learning rate of the CycleGANs (Adam), linear to 0 in the second half", above=0)
    gan_batch: int = param(16, "images of each class in a step of a CycleGAN", low=1)
    gan_width: int = param(32, "channels of their first layer", low=1)
    gan_blocks: int = param(3, "residual blocks of a generator", low=0)

    def gan_epochs(self, recipe: Recipe) -> int:
        """Epochs of the CycleGANs."""
        return recipe.epochs if self.gan_share else 0

    def work(self, spec: TrialSpec, images: int, sizes: Sequence[int]) -> float:
        counts = torch.tensor(sizes, dtype=torch.float64)
        missing = filled(counts, self.gan_share) - counts
        shape = DATASETS[spec.data.dataset].image_shape
        net, maker, judge = (forward_flops(build, shape) for build in (
            lambda: build_model(spec.recipe.model, shape, len(sizes), LinearHead()),
            lambda: Translator(shape, self.gan_width, self.gan_blocks),
            lambda: PatchDiscriminator(shape, self.gan_width),
        ))  # fmt: skip
        # For each pair of images the generators take six, forward and back; the discriminators two and back to them, then four.
        pair = (3 * 6 * maker + (2 * 2 + 3 * 4) * judge) / net
        gans = int((missing > 0).sum()) * max(sizes) * self.gan_epochs(spec.recipe) * pair
        return gans + 3.0 * (images + float(missing.sum())) * spec.recipe.epochs

    def check(self, spec: TrialSpec) -> None:
        if spec.data.semi_supervised:
            raise UserError(
                f"{spec.method.name}: {self.name} knows no unlabelled images: drop label_fraction and unlabelled_ratio"
            )

    def translation(self, lab: Lab, sizes: torch.Tensor, epochs: int) -> Translation:
        """The CycleGANs of a trial, untrained; ``sizes``: class sizes that the classifier is to see."""
        from lt_core.training.runtime import autocast_dtype

        dtype = autocast_dtype(lab.spec.recipe.precision, lab.device)
        objective = Objective(self.identity_weight, self.cycle_weight, self.gan_lr, self.gan_width, self.gan_blocks)
        return Translation(lab.split, sizes, objective, self.gan_batch, lab.spec.recipe, lab.spec.seed, epochs, dtype)

    def classifier(
        self, lab: Lab, split: Split, translation: Translation | None = None, step: Alternating | None = None
    ) -> Training:
        """The classifier's training, in which images of classes smaller than the largest weigh 1/γ."""
        training, counts = lab.training(split=split, step=step), lab.split.counts
        training.class_weights = training.class_weights * torch.where(counts < counts.max(), 1 / self.minority_gamma, 1.0).float()
        training.pictures = (lambda: pictures(translation, lab.split)) if translation else None
        return training


@part("stages", "joint_aug")
class JointAug(Joint):
    """AUG: the CycleGANs are trained once, without a classifier; the classifier then on real and translated images together."""

    gan_length: float = param(1.0, "length of the CycleGANs' training, in trainings of the classifier", above=0)

    def gan_epochs(self, recipe: Recipe) -> int:
        return max(1, round(self.gan_length * recipe.epochs)) if self.gan_share else 0

    def epochs(self, recipe: Recipe) -> int:
        return recipe.epochs + self.gan_epochs(recipe)

    def rounds(self, lab: Lab) -> Iterator[Training]:
        sizes = filled(lab.split.counts, self.gan_share)
        if not (sizes > lab.split.counts).any():
            yield self.classifier(lab, lab.split)
            return
        translation = self.translation(lab, sizes, self.gan_epochs(lab.spec.recipe))
        made = TranslatorTraining(translation, lab.split, lab.spec.recipe)
        yield made  # type: ignore[misc]
        yield self.classifier(lab, made.grown(), translation)


@part("stages", "joint_alt")
class JointAlt(Joint):
    """ALT: an epoch of the CycleGANs with the classifier fixed, its loss flowing back into the generators, and an epoch of the
    classifier with the generators fixed, in turn.

    The classifier's batches hold as many translated images as in AUG, drawn afresh. It sees them from ``gan_start`` on, when
    the generators have learnt to make something. That is ours: of 0, 0.1 and 0.25 the last did best on the validation split
    of two pairs of digits.
    """

    gan_start: float = param(
        0.25, "fraction of training before which the classifier sees real images alone", low=0, high=1, tune=(0.0, 0.25, 0.5)
    )

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        step = spec.method.params.get("step", NEUTRAL["step"])
        if step != NEUTRAL["step"]:
            raise UserError(f"{spec.method.name}: joint_alt makes the batches itself: drop step={step}, or set stages=joint_aug")

    def rounds(self, lab: Lab) -> Iterator[Training]:
        sizes = filled(lab.split.counts, self.gan_share)
        if not (sizes > lab.split.counts).any():
            yield self.classifier(lab, lab.split)
            return
        translation = self.translation(lab, sizes, lab.spec.recipe.epochs)
        # What the loss, the weights and the sampling are told of the classes is what the classifier sees of them.
        split = replace(lab.split, counts=sizes, true_counts=lab.split.counts)
        yield self.classifier(lab, split, translation, Alternating(translation, self.minority_gamma, self.gan_start))
