"""The base classes of stages: a trial is a sequence of trainings, each of which can be stored and resumed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import nn

from lt_core.data.loader import Batches, Split
from lt_core.declaration import resolve
from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.generation.scores import Judge
from lt_core.identity import NEUTRAL
from lt_core.models.heads import Head, initialise
from lt_core.models.length import of_length
from lt_core.models.registry import Net, build_model, without_weights
from lt_core.moved import as_written
from lt_core.parts import Part, build_parts, part
from lt_core.protocols import Trainable, TrainableClassifier
from lt_core.recipes import Recipe
from lt_core.spec import TrialSpec
from lt_core.steps.base import Step


@dataclass(frozen=True)
class Stage:
    """One training of a trial, and what the trial does with it.

    Args:
        training: what to train; a `TrainableClassifier`, unless ``evaluate`` is false.
        shared_as: the result of `Stages.begins_with` for the first training, if all trials that begin with it share it.
        evaluate: whether it is evaluated at points of the learning curve and at its end.
        chosen: values that were chosen for it on the validation split, by name; they go into the record.
        pictures: makes the record's pictures on request, as `lt_core.generation.pictures` does; its argument is a function that
            makes their judge.
        features_by: the training whose features it gets in place of images; None: it gets images.
    """

    training: Trainable
    shared_as: TrialSpec | None = None
    evaluate: bool = True
    chosen: dict[str, float] = field(default_factory=dict)
    pictures: Callable[[Callable[[], Judge]], list[dict[str, Any]]] | None = None
    features_by: TrainableClassifier | None = None

    @property
    def classifier(self) -> TrainableClassifier:
        """The training of a stage that is evaluated."""
        assert self.evaluate
        return cast(TrainableClassifier, self.training)

    @property
    def whole(self) -> tuple[Net, Batches]:
        """The network that predicts from images, and the object that makes batches of images for it."""
        last, first = self.classifier, self.features_by
        return (
            (Net(first.evaluated.backbone, last.evaluated.classifier), first.batches) if first else (last.evaluated, last.batches)
        )


@dataclass(frozen=True)
class StageContext:
    """What the stages of a trial are made from.

    Args:
        split: the trial's images, on ``device``.
        dtype: the type in which networks compute under autocast, by the recipe's precision; None: float32.
        make_training: `lt_core.training.loop.Training`, which stages must not import.
    """

    spec: TrialSpec
    split: Split
    device: torch.device
    dtype: torch.dtype | None
    make_training: Callable[..., TrainableClassifier]

    def training(self, **changes: Any) -> TrainableClassifier:
        """A training of the trial's method; ``changes`` are ``spec``, ``split`` and keyword arguments of `Training`."""
        spec, split = changes.pop("spec", self.spec), changes.pop("split", self.split)
        return self.make_training(spec, split, self.device, **changes)

    def classifier(self, width: int) -> nn.Module:
        """A new head as the method chooses it, for features of ``width``, initialised from the seed alone."""
        head = cast(Head, build_parts(self.spec.method.params)["head"])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.spec.seed + 1)
            return initialise(head.build(width, len(self.split.counts)), self.spec.recipe.head_init)


@dataclass(frozen=True)
class Blueprint:
    """Makes untrained networks of a trial, into which kept weights are read.

    Args:
        shape: height, width and channels of their input.
    """

    spec: TrialSpec
    shape: tuple[int, int, int]
    classes: int

    def plain(self, spec: TrialSpec | None = None) -> Net:
        """The network of `StageContext.training` for ``spec``, such as that of a first stage; None: for the trial."""
        spec = spec or self.spec
        parts = build_parts(spec.method.params, spec.method.name)
        head, step = cast(Head, parts["head"]), cast(Step, parts["step"])
        return build_model(
            without_weights(spec.recipe.model), self.shape, self.classes, head,
            change=lambda backbone: step.backbone(of_length(backbone, spec.recipe.feature_length)),
        )  # fmt: skip

    def classifier(self, width: int) -> nn.Module:
        """A head as the method chooses it, for features of ``width``."""
        return cast(Head, build_parts(self.spec.method.params)["head"]).build(width, self.classes)


class Stages(Part):
    """The trainings of a trial, one after another; the last of them is evaluated."""

    def stage_one_of(self, spec: TrialSpec) -> TrialSpec | None:
        """The trial to which the first training belongs, if other trials may share it; otherwise None."""
        return None

    def begins_with(self, spec: TrialSpec) -> TrialSpec | None:
        """The trial whose ID names the first training, if other trials may share it: all trials with the same result begin with
        the same training. It is stage one, or a trial that begins with that training itself.
        """
        return self.stage_one_of(spec)

    def shared_work(self, spec: TrialSpec) -> float:
        """The share of `work` that is the first training, which all trials that share it do once."""
        return 0.0

    def epochs(self, spec: TrialSpec) -> int:
        """Number of all epochs, without those of a shared stage one."""
        return spec.recipe.epochs

    def work(self, spec: TrialSpec, images: int) -> float:
        """The cost of training, for estimates, in forward passes of an image through the network; a backward pass counts as two.

        Args:
            images: number of images that an epoch of plain training draws.
        """
        return 3.0 * images * step_of(spec).cost * self.epochs(spec)

    def not_repeatable(self, spec: TrialSpec) -> str:
        """The operation in the trainings that may give other bits each time on a GPU, because CUDA has no deterministic form of
        it; empty if there is none.
        """
        return ""

    def network(self, made: Blueprint) -> Net:
        """An untrained network of the same form as the last training's, into which kept weights are read."""
        return made.plain()

    @abstractmethod
    def trainings(self, context: StageContext) -> Iterator[Stage]:
        """The trainings. Before the generator continues, each is trained, or restored if that was done in an earlier run. The
        generator's work in between may depend only on the trained models and the trial.
        """


@part("stages", "one")
class One(Stages):
    """A single training."""

    def trainings(self, context: StageContext) -> Iterator[Stage]:
        yield Stage(context.training())


@dataclass(frozen=True)
class FromStageOne(Stages):
    """Stages that begin with a training of another method, on the same images, with the same recipe and seed."""

    stage_one: str = param("softmax", "method of the first stage, as name or name[key=value,…]")

    def __post_init__(self) -> None:
        try:
            resolve(as_written(self.stage_one))
        except UserError as error:
            raise UserError(f"stage_one: {error}") from None

    def check(self, spec: TrialSpec) -> None:
        base = self.stage_one_of(spec)
        if base.method.params["stages"] != NEUTRAL["stages"]:
            raise UserError(
                f"{spec.method.name}: stage_one {self.stage_one} has several stages itself: name a method with a single training"
            )
        ours, theirs = step_of(spec).extra_images, step_of(base).extra_images
        if ours and theirs and ours != theirs:
            raise UserError(
                f"{spec.method.name} uses {ours} extra images per class, but stage_one {self.stage_one} uses {theirs}: set "
                "the same meta_images for both"
            )

    def stage_one_of(self, spec: TrialSpec) -> TrialSpec:
        return replace(spec, method=resolve(as_written(self.stage_one)))

    def trainings(self, context: StageContext) -> Iterator[Stage]:
        shared = self.stage_one_of(context.spec)
        first = context.training(spec=shared)
        yield Stage(first, shared_as=shared)
        yield from self.after(first, context)

    def network(self, made: Blueprint) -> Net:
        backbone = made.plain(self.stage_one_of(made.spec)).backbone
        return Net(backbone, made.classifier(cast(int, backbone.width)))

    @abstractmethod
    def after(self, first: TrainableClassifier, context: StageContext) -> Iterator[Stage]:
        """The trainings that follow the ``first``, which has been trained."""


def second_recipe(recipe: Recipe, length: float, rate: float) -> Recipe:
    """The recipe of a second stage: ``length`` times the first one's epochs, and ``rate`` times its learning rate, which decays
    along a cosine. Weight decay per step is proportional to the rate and shrinks with it.
    """
    return replace(
        recipe,
        epochs=max(1, round(length * recipe.epochs)),
        lr=recipe.lr * rate,
        shrink=recipe.shrink * rate,
        warmup=0.0,
        warmup_epochs=0,
        decay="cosine",
        milestones=(),
        drops=(),
    )


def step_of(spec: TrialSpec) -> Step:
    """The step of a trial's method."""
    return cast(Step, build_parts(spec.method.params)["step"])


def stages_of(spec: TrialSpec) -> Stages:
    """The stages of a trial."""
    return cast(Stages, build_parts(spec.method.params)["stages"])


def stage_one(spec: TrialSpec) -> TrialSpec | None:
    """The trial with whose training ``spec`` begins, if other trials may share it; otherwise None."""
    return stages_of(spec).stage_one_of(spec)


def extra_images(spec: TrialSpec) -> int:
    """Images per class beyond the training subset that a trial uses, in its own step or in that of its stage one."""
    first = stage_one(spec)
    return max(step_of(s).extra_images for s in (spec, first) if s is not None)
