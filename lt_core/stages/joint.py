"""Joint generation and classification (Sahoo et al. 2020, ECCV workshops): images of small classes made from images of the
largest class.

The authors have published no code. What we have of their text is the objective

    L = L_GAN(G_B→A, D_A) + L_GAN(G_A→B, D_B) + β(L_cyc(A) + L_cyc(B)) + α(L_ide(A) + L_ide(B)) + L_cls^A + L_cls^B

with the minority's L_cls weighted by 1/γ, and two modes: AUG trains the CycleGAN once, then the classifier on real and made
images; ALT alternates, the classifier's loss flowing back into the generators. The rest is our reading:

- the classifier gets as many images made of A's as a small class B lacks; images made of B's enter the generators' loss alone,
  since A needs none;
- ALT takes turns epoch by epoch, after a part of the CycleGANs' training for themselves;
- with more than two classes there is a CycleGAN between the largest and each smaller one;
- on balanced data "as many as B lacks" is none: there, ``gan_share`` 2 doubles both classes, A's by images made of B's;
- class sizes, for weights, margins and priors, are those of the real images, as they are for the paper's 1/γ and for its
  class-balanced weights: filled-up classes all have the same size.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from torch import Tensor

from lt_core.data.loader import Split
from lt_core.data.longtail import training_sizes
from lt_core.data.sets import DATASETS
from lt_core.declaration import resolve
from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.generation import CycleGANConfig, Translation, TranslatorTraining, filled, pictures, smaller_to_fill
from lt_core.identity import NEUTRAL
from lt_core.models import build_model
from lt_core.models.cyclegan import PatchDiscriminator, Translator
from lt_core.models.flops import forward_flops
from lt_core.models.heads import LinearHead
from lt_core.parts import part
from lt_core.protocols import TrainableClassifier
from lt_core.recipes import Recipe
from lt_core.spec import TrialSpec
from lt_core.stages.base import One, Stage, StageContext, Stages
from lt_core.steps.alternating import Alternating
from lt_core.weights import class_balanced

_OF_CLASSIFIER = ("minority_gamma", "minority_beta")  # parameters of AUG that its CycleGANs know nothing of
_LARGE_FROM = 32  # pixels, below which no large patch is left of an image halved three times


@functools.cache  # many trials of a suite have the same networks
def _passes(
    model: str, shape: tuple[int, int, int], classes: int, width: int, blocks: int, large_patches: bool
) -> tuple[float, float]:
    """What a generator and a discriminator make of an image, in passes of an image through ``model``."""
    net = forward_flops(lambda: build_model(model, shape, classes, LinearHead()), shape)
    maker = forward_flops(lambda: Translator(shape, width, blocks), shape)
    return maker / net, forward_flops(lambda: PatchDiscriminator(shape, width, large_patches), shape) / net


@dataclass(frozen=True)
class Joint(Stages):
    """CycleGANs between the largest class A and each smaller class B, whose translations of A's images fill B up."""

    beyond_features: ClassVar[str] = "changes pictures"

    gan_share: float = param(
        1.0,
        "size to which translated images fill up the classes, as a share of the largest class; 0: none; above 1: the largest "
        "too, with images made of the next largest",
        low=0,
        high=10,
        tune=(0.5, 1.0),
    )
    identity_weight: float = param(5.0, "weight α of the identity loss", low=0, tune=(0.0, 1.0, 5.0))
    cycle_weight: float = param(10.0, "weight β of the cycle-consistency loss", low=0, tune=(1.0, 5.0, 10.0))
    minority_gamma: float = param(
        1.0,
        "γ: images of smaller classes, including generated ones, have weight 1/γ in the classification loss",
        above=0,
        tune=(0.25, 0.5, 1.0),
    )
    gan_length: float = param(
        1.0, "length of the CycleGANs' training before the classifier's, as a multiple of the classifier's training", low=0
    )
    gan_lr: float = param(2e-4, "learning rate of the CycleGANs (Adam); decays linearly to 0 in the second half", above=0)
    gan_batch: int = param(16, "images per class in each step of a CycleGAN", low=1)
    gan_width: int = param(32, "channels of the first layer of the CycleGANs", low=1)
    gan_blocks: int = param(3, "residual blocks per generator", low=0)
    gan_patches: str = param(
        "small",
        "side of the patches that discriminators judge: small, at most 26 pixels, or large, 70 pixels as in CycleGAN",
        choices=("small", "large"),
    )

    @property
    def _large_patches(self) -> bool:
        return self.gan_patches == "large"

    def check(self, spec: TrialSpec) -> None:
        if spec.data.semi_supervised:
            raise UserError(
                f"{spec.method.name}: {self.name} cannot use unlabelled images: remove label_fraction and unlabelled_ratio"
            )
        side = min(spec.recipe.network_shape(DATASETS[spec.data.dataset].image_shape)[:2])
        if self._large_patches and side < _LARGE_FROM:
            raise UserError(
                f"{spec.method.name}: gan_patches=large needs images of at least {_LARGE_FROM} pixels, and those of "
                f"{spec.data.dataset} have {side}: set gan_patches=small"
            )

    def before(self, recipe: Recipe, counts: Tensor) -> int:
        """Epochs of the CycleGANs before the classifier's first, by the real class sizes [C]."""
        return round(self.gan_length * recipe.epochs) if self.missing(counts).any() else 0

    def beside(self, recipe: Recipe, counts: Tensor) -> int:
        """Epochs of the CycleGANs between those of the classifier."""
        return 0

    def missing(self, counts: Tensor) -> Tensor:
        """Number of images to add to each class of sizes ``counts`` [C]: [C]."""
        return filled(counts, self.gan_share) - counts

    def epochs(self, spec: TrialSpec) -> int:
        return self.before(spec.recipe, _counts(spec)) + spec.recipe.epochs

    def not_repeatable(self, spec: TrialSpec) -> str:
        return "gradient of CycleGAN's reflection padding" if self.missing(_counts(spec)).any() else ""

    def work(self, spec: TrialSpec, images: int) -> float:
        counts = _counts(spec)
        beside, made = self.beside(spec.recipe, counts), float(self.missing(counts).sum())
        pairs, pair, maker = self._pairs(spec, counts)
        classifier = One().work(spec, images if spec.recipe.steps else images + int(made))
        # Beside a classifier, it sees two images of a pair and passes a gradient back.
        return self._work_before(spec) + pairs * beside * (pair + 2 * 2) + classifier + made * max(1, beside) * maker

    def _work_before(self, spec: TrialSpec) -> float:
        """What of `work` is the training of the CycleGANs for themselves."""
        counts = _counts(spec)
        pairs, pair, _ = self._pairs(spec, counts)
        return pairs * self.before(spec.recipe, counts) * pair

    def _pairs(self, spec: TrialSpec, counts: Tensor) -> tuple[int, float, float]:
        """Pairs of images in an epoch of the CycleGANs, and what one of them and a made image cost, as `work` has it."""
        shape = spec.recipe.network_shape(DATASETS[spec.data.dataset].image_shape)
        maker, judge = _passes(spec.recipe.model, shape, len(counts), self.gan_width, self.gan_blocks, self._large_patches)
        # For a pair of images the generators make six, forward and back. The discriminators see two and pass a gradient back,
        # then learn from four.
        pair = 3 * 6 * maker + (2 * 2 + 3 * 4) * judge
        return len(smaller_to_fill(self.missing(counts), counts)) * int(counts.max()), pair, maker

    def translation(self, context: StageContext) -> Translation:
        """The CycleGANs of a trial, untrained."""
        config = CycleGANConfig(
            self.identity_weight, self.cycle_weight, self.gan_lr, self.gan_width, self.gan_blocks, self._large_patches
        )
        recipe, counts = context.spec.recipe, context.split.counts
        epochs = self.before(recipe, counts) + self.beside(recipe, counts)
        seed, dtype = context.spec.seed, context.dtype
        return Translation(context.split, self.missing(counts), config, self.gan_batch, recipe, seed, epochs, dtype)

    def classifier(self, context: StageContext, split: Split, step: Alternating | None = None) -> TrainableClassifier:
        """The classifier's training, in which images have weight `class_factors`."""
        return context.training(split=split, step=step, class_factors=self.class_factors(context.split.counts))

    def class_factors(self, counts: Tensor) -> Tensor:
        """Weight of an image of each class, of real sizes ``counts`` [C]: 1/γ for those smaller than the largest: float32 [C]."""
        return torch.where(counts < counts.max(), 1 / self.minority_gamma, 1.0).float()

    def trainings(self, context: StageContext) -> Iterator[Stage]:
        translation, before = self.translation(context), self.before(context.spec.recipe, context.split.counts)
        if before:
            shared = self.begins_with(context.spec)
            yield Stage(TranslatorTraining(translation, before), shared_as=shared, evaluate=False)
        yield Stage(self.last(context, translation), pictures=functools.partial(pictures, translation, context.split))

    @abstractmethod
    def last(self, context: StageContext, translation: Translation) -> TrainableClassifier:
        """The training of the classifier, after that of the CycleGANs."""


def _counts(spec: TrialSpec) -> Tensor:
    return torch.tensor(training_sizes(spec.data), dtype=torch.float64)


@part("stages", "joint_aug")
class JointAug(Joint):
    """AUG: the CycleGANs are trained once, without a classifier; the classifier is then trained on real and translated images."""

    minority_beta: float | None = param(
        None,
        "β of class-balanced weights by the real images of each class, in place of 1/γ; none: 1/γ",
        low=0,
        below=1,
    )

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        if self.minority_beta is not None and self.minority_gamma != 1:
            raise UserError(
                f"{spec.method.name}: minority_beta takes the place of 1/γ: remove minority_beta or "
                f"minority_gamma={self.minority_gamma:g}"
            )

    def class_factors(self, counts: Tensor) -> Tensor:
        if self.minority_beta is None:
            return super().class_factors(counts)
        return class_balanced(counts, self.minority_beta).float()

    def begins_with(self, spec: TrialSpec) -> TrialSpec | None:
        """The trial with the same CycleGANs, and a classifier that is trained on their images as declared."""
        if not self.before(spec.recipe, _counts(spec)):
            return None
        ours = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _OF_CLASSIFIER}
        return replace(spec, method=resolve("joint_aug", {"stages": self.name, **ours}))

    def shared_work(self, spec: TrialSpec) -> float:
        return self._work_before(spec)

    def last(self, context: StageContext, translation: Translation) -> TrainableClassifier:
        return self.classifier(context, translation.grown(context.split, translate=True))


@part("stages", "joint_alt")
class JointAlt(Joint):
    """ALT: alternates between an epoch of the CycleGANs with a fixed classifier, whose loss also trains the generators, and an
    epoch of the classifier with fixed generators. Each epoch has as many translated images as in AUG, generated anew.
    """

    gan_length: float = param(
        0.5,
        "length of the CycleGANs' training before the first turn, as a multiple of the classifier's training",
        low=0,
        tune=(0.0, 0.5, 1.0),
    )

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        for group in ("step", "schedule", "synthesis"):
            chosen = spec.method.params.get(group, NEUTRAL[group])
            if chosen != NEUTRAL[group]:
                raise UserError(
                    f"{spec.method.name}: joint_alt makes its own batches: remove {group}={chosen}, or set stages=joint_aug"
                )

    def beside(self, recipe: Recipe, counts: Tensor) -> int:
        return recipe.epochs if self.missing(counts).any() else 0

    def last(self, context: StageContext, translation: Translation) -> TrainableClassifier:
        split = translation.grown(context.split, translate=False)
        return self.classifier(context, split, Alternating(translation, len(context.split.train), self.minority_gamma))
