"""Curriculum: training starts with easy images of all classes, where an image's difficulty is the loss of a first model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lt_core.features import by_batches
from lt_core.fields import param
from lt_core.models.registry import Net
from lt_core.parts import part
from lt_core.protocols import Predictor, TrainableClassifier
from lt_core.sampling import Instance, Sampling
from lt_core.spec import TrialSpec
from lt_core.stages.base import Blueprint, FromStageOne, Stage, StageContext


@dataclass(frozen=True)
class EasyFirst(Sampling):
    """Draws N images with replacement, all classes equally likely, from the easiest images of each class; after ``pace`` of the
    epochs, every image once, as usual.
    """

    rank: Tensor  # [N]: difficulty rank of an image in its class, from 0, the easiest, to below 1
    easy: float
    pace: float

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        if progress >= self.pace:
            return Instance().epoch(labels, counts, generator)
        share = self.easy + (1 - self.easy) * progress / self.pace
        eligible = (self.rank < share).double()  # always includes the easiest image of every class
        of_class = torch.zeros(len(counts), dtype=torch.double, device=labels.device).index_add(0, labels, eligible)
        return torch.multinomial(eligible / of_class[labels], len(labels), replacement=True, generator=generator)


@part("stages", "curriculum")
class Curriculum(FromStageOne):
    """Trains from scratch on class-balanced samples of the easiest images of every class. Their share grows from ``easy`` to all
    images over the first ``pace`` of training; the rest of training is plain. The difficulty of an image is its loss under the
    model of stage one.
    """

    easy: float = param(
        0.3, "share of each class, its easiest images, with which training starts", above=0, high=1, tune=(0.1, 0.3, 0.5)
    )
    pace: float = param(
        0.5, "fraction of training after which all images are used; 0: from the start", low=0, high=1, tune=(0.3, 0.5, 0.7)
    )

    def trainings(self, context: StageContext) -> Iterator[Stage]:
        if self.pace == 0:
            yield Stage(context.training())
        else:
            yield from super().trainings(context)

    def after(self, first: TrainableClassifier, context: StageContext) -> Iterator[Stage]:
        yield Stage(context.training(sampling=EasyFirst(self.rank(first, context), self.easy, self.pace)))

    def rank(self, first: Predictor, context: StageContext) -> Tensor:
        """Rank of each training image in its class by its loss under ``first``, from 0 to below 1: [N]."""
        images = context.split.train
        said = by_batches(first, images, lambda outputs, features: first.loss.logits(outputs))
        loss = -first.loss.log_probabilities(said).gather(1, images.labels[:, None])[:, 0]
        place = torch.empty_like(loss)
        for label in range(len(context.split.counts)):
            mine = (images.labels == label).nonzero()[:, 0]
            place[mine[loss[mine].argsort(stable=True)]] = torch.arange(len(mine), device=loss.device) / len(mine)
        return place

    def network(self, made: Blueprint) -> Net:
        return made.plain()

    def epochs(self, spec: TrialSpec) -> int:
        return spec.recipe.epochs
