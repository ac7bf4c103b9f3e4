"""Curriculum: easy images of all classes first; difficulty is a first model's loss."""

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
    """N draws with replacement, classes alike, each from the easiest images of its class; after ``pace`` of the epochs
    every image once, as ever.
    """

    rank: Tensor  # [N]: place of an image in its class by difficulty, 0 easiest, below 1
    easy: float
    pace: float

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        if progress >= self.pace:
            return Instance().epoch(labels, counts, generator)
        share = self.easy + (1 - self.easy) * progress / self.pace
        eligible = (self.rank < share).double()  # the easiest image of every class always is
        of_class = torch.zeros(len(counts), dtype=torch.double, device=labels.device).index_add(0, labels, eligible)
        return torch.multinomial(eligible / of_class[labels], len(labels), replacement=True, generator=generator)


@part("stages", "curriculum")
class Curriculum(FromStageOne):
    """Trains from scratch on class-balanced draws from the easiest share ``easy`` of every class, which grows to all images over
    the first ``pace`` of training; the rest of training is plain. The difficulty of an image is its loss under the stage-one
    model.
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
        """Place of each training image in its class by its loss under ``first``, from 0 and below 1: [N]."""
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
