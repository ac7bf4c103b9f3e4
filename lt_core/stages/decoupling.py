"""Decoupling (Kang et al. 2020, ICLR): features come from one training, and the classifier from another rule.

cRT, LWS, τ-normalisation and NCM are those of section 4.2; fine-tuning continues with all weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.data.loader import Images
from lt_core.errors import UserError
from lt_core.features import features_of
from lt_core.fields import param
from lt_core.models.frozen import Given
from lt_core.models.registry import Net
from lt_core.parts import part
from lt_core.protocols import TrainableClassifier
from lt_core.recipes import Recipe
from lt_core.spec import TrialSpec
from lt_core.stages.base import Blueprint, FromStageOne, Stage, StageContext, second_recipe


@dataclass(frozen=True)
class Retrain(FromStageOne):
    """A second, shorter training with the method's own loss, weights and sampling."""

    on_features: ClassVar[bool] = False  # whether it gets the first stage's features in place of images

    retrain: float = param(
        0.15, "epochs of the second stage as a fraction of those of the first; 0: no second stage", low=0, tune=(0.05, 0.15, 0.5)
    )
    retrain_lr: float = param(
        1.0,
        "initial learning rate of the second stage as a multiple of the recipe's; it decays along a cosine",
        above=0,
        tune=(0.1, 1.0),
    )

    def epochs(self, spec: TrialSpec) -> int:
        return self.second(spec.recipe).epochs if self.retrain else 0

    def network(self, made: Blueprint) -> Net:
        return super().network(made) if self.retrain else made.plain(self.stage_one_of(made.spec))

    def second(self, recipe: Recipe) -> Recipe:
        """The recipe of the second stage."""
        return second_recipe(recipe, self.retrain, self.retrain_lr)

    def after(self, first: TrainableClassifier, context: StageContext) -> Iterator[Stage]:
        if self.retrain:
            yield Stage(self.second_stage(first, context), features_by=first if self.on_features else None)

    @abstractmethod
    def second_stage(self, first: TrainableClassifier, context: StageContext) -> TrainableClassifier:
        """The training that follows the ``first``."""


@dataclass(frozen=True)
class OnKeptFeatures(Retrain):
    """A second stage that does not change the backbone's weights.

    The paper does not say what batch norm does in this stage. Here it is in evaluation mode unless ``kept_norms`` says otherwise.
    The public code (facebookresearch/classifier-balancing, run_networks.py) puts the whole network in training mode: the
    classifier learns from features normalised by each balanced batch, and the running statistics move towards these batches.
    """

    kept_norms: str = param(
        "evaluation",
        "batch norm in the fixed backbone: with the statistics of the first stage, or in training mode as in the public code",
        choices=("evaluation", "training"),
    )

    def head_trained(self, context: StageContext, model: Net, frozen: list[nn.Module]) -> TrainableClassifier:
        """The training of a second stage, which trains all of ``model`` except the ``frozen`` modules."""
        moving = self.kept_norms == "training"
        return context.training(recipe=self.second(context.spec.recipe), model=model, frozen=frozen, frozen_norms=moving)


@part("stages", "crt")
class ClassifierRetraining(OnKeptFeatures):
    """cRT: the backbone is fixed, and a new classifier is trained."""

    def second_stage(self, first: TrainableClassifier, context: StageContext) -> TrainableClassifier:
        model = Net(first.evaluated.backbone, context.classifier(first.evaluated.width))
        return self.head_trained(context, model, [model.backbone])


class Scaled(nn.Module):
    """s_c · z_c: one learnt scale per class, applied to a classifier's outputs including the bias."""

    def __init__(self, classifier: nn.Module, classes: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.scale = nn.Parameter(torch.ones(classes))

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.scale * self.classifier(features)
        return out


@part("stages", "lws")
class LearnableWeightScaling(OnKeptFeatures):
    """LWS: backbone and classifier are fixed, and one scale per class is trained."""

    def second_stage(self, first: TrainableClassifier, context: StageContext) -> TrainableClassifier:
        model = self._scaled(first.evaluated, len(context.split.counts))
        return self.head_trained(context, model, [model.backbone, first.evaluated.classifier])

    def network(self, made: Blueprint) -> Net:
        first = made.plain(self.stage_one_of(made.spec))
        return self._scaled(first, made.classes) if self.retrain else first

    def _scaled(self, first: Net, classes: int) -> Net:
        return Net(first.backbone, Scaled(first.classifier, classes))


@part("stages", "fine_tune")
class FineTune(Retrain):
    """All weights are trained further; the classifier is a new one if the method's head differs from that of the first stage."""

    def second_stage(self, first: TrainableClassifier, context: StageContext) -> TrainableClassifier:
        same = first.spec.method.params["head"] == context.spec.method.params["head"]
        model = first.evaluated if same else Net(first.evaluated.backbone, context.classifier(first.evaluated.width))
        return context.training(recipe=self.second(context.spec.recipe), model=model)


@part("stages", "features")
class OnFeatures(Retrain):
    """cRT on stored features of all images without augmentation; synthesis, if any, generates features instead of pixels."""

    on_features: ClassVar[bool] = True

    def second_stage(self, first: TrainableClassifier, context: StageContext) -> TrainableClassifier:
        def stored(images: Images) -> Images:
            return Images(features_of(first, images)[:, None, None, :], images.labels) if len(images) else images

        split = context.split
        split = replace(
            split, train=stored(split.train), validation=stored(split.validation), test=stored(split.test),
            extra=stored(split.extra) if split.extra else None,
            unlabelled=stored(split.unlabelled) if split.unlabelled else None,
        )  # fmt: skip
        recipe = replace(self.second(context.spec.recipe), pad=0, flip=False, normalize="none")
        model = Net(Given(first.evaluated.width), context.classifier(first.evaluated.width))
        return context.training(recipe=recipe, model=model, split=split)


class NearestMean(nn.Module):
    """−‖f − μ_c‖² for every class, where f, and the features whose means are μ, are centred by the mean of all training features
    and scaled to length 1.
    """

    centre: Tensor
    means: Tensor

    def __init__(self, centre: Tensor, means: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("means", means)

    def forward(self, features: Tensor) -> Tensor:
        return -torch.cdist(F.normalize(features.float() - self.centre, dim=1), self.means).square()


@part("stages", "ncm")
class NearestClassMean(FromStageOne):
    """NCM: prediction by the nearest class mean of the first stage's features. Nothing is trained."""

    def epochs(self, spec: TrialSpec) -> int:
        return 0

    def after(self, first: TrainableClassifier, context: StageContext) -> Iterator[Stage]:
        features, labels = features_of(first, context.split.train), context.split.train.labels
        centre = features.mean(dim=0)
        unit = F.normalize(features - centre, dim=1)
        sums = torch.zeros(len(context.split.counts), unit.shape[1], device=unit.device).index_add(0, labels, unit)
        means = sums / context.split.counts.float()[:, None]
        yield Stage(context.training(model=Net(first.evaluated.backbone, NearestMean(centre, means)), epochs=0))

    def network(self, made: Blueprint) -> Net:
        first = made.plain(self.stage_one_of(made.spec))
        return Net(first.backbone, NearestMean(torch.zeros(first.width), torch.zeros(made.classes, first.width)))


@part("stages", "tau_norm")
class TauNormalisation(FromStageOne):
    """τ-normalisation: w_c / ‖w_c‖^τ without a bias, where τ gives the best balanced accuracy on the validation split."""

    norm_tau: float | None = param(None, "τ; none: chosen from 0, 0.1, …, 2 on the validation split", low=0, high=2)

    def check(self, spec: TrialSpec) -> None:
        super().check(spec)
        if self.norm_tau is None and not spec.data.validation:
            raise UserError(
                f"{spec.method.name} chooses τ on a validation split, but the data has none: set validation to 1 or more, or "
                "set norm_tau"
            )
        if self.stage_one_of(spec).method.params["head"] != "linear":
            raise UserError(
                f"{spec.method.name} normalises a linear head, which stage_one {self.stage_one} does not have: choose another "
                "stage_one"
            )

    def epochs(self, spec: TrialSpec) -> int:
        return 0

    def after(self, first: TrainableClassifier, context: StageContext) -> Iterator[Stage]:
        weight = cast(nn.Linear, first.evaluated.classifier).weight.detach().float()
        norms = weight.norm(dim=1, keepdim=True)
        tau = self.norm_tau
        if tau is None:
            held_out = context.split.validation
            features = features_of(first, held_out)
            classes = F.one_hot(held_out.labels, len(weight)).double()
            taus = [round(0.1 * i, 1) for i in range(21)]
            hits = [((features @ (weight / norms**t).T).argmax(1) == held_out.labels).double() @ classes for t in taus]
            accuracies = torch.stack([(hit / classes.sum(0)).mean() for hit in hits])
            tau = taus[int(accuracies.argmax())]
        classifier = nn.Linear(weight.shape[1], len(weight), bias=False)
        classifier.weight = nn.Parameter(weight / norms**tau)
        last = context.training(model=Net(first.evaluated.backbone, classifier), epochs=0)
        yield Stage(last, chosen={"norm_tau": tau})

    def network(self, made: Blueprint) -> Net:
        first = made.plain(self.stage_one_of(made.spec))
        return Net(first.backbone, nn.Linear(first.width, made.classes, bias=False))
