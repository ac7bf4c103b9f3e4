"""Informed under-sampling: several models, each trained on a balanced subset (Liu, Wu and Zhou 2009, IEEE TSMC-B)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor, nn

from lt_core.features import probabilities_of
from lt_core.fields import param
from lt_core.losses.base import Loss
from lt_core.losses.cross_entropy import Softmax
from lt_core.models.registry import Net
from lt_core.parts import build_parts, part
from lt_core.protocols import Predictor
from lt_core.sampling import Sampling, balanced_part
from lt_core.spec import TrialSpec
from lt_core.stages.base import Blueprint, Stage, StageContext, Stages


@dataclass(frozen=True)
class Fixed(Sampling):
    """The images at ``positions``, shuffled ``repeats`` times per epoch."""

    positions: Tensor
    repeats: int

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        count, device = len(self.positions), self.positions.device
        orders = [torch.randperm(count, generator=generator, device=device) for _ in range(self.repeats)]
        return self.positions[torch.cat(orders)]


class MeanProbability(nn.Module):
    """The logarithm of the members' mean class probabilities: logits whose softmax is this mean."""

    seen = None  # there is no common map, because each member has its own (`lt_core.explain`)
    called = "an ensemble"  # in messages

    def __init__(self, members: Iterable[Net], losses: Iterable[Loss]) -> None:
        super().__init__()
        self.members, self.losses = nn.ModuleList(members), list(losses)
        self.width = 0

    def forward(self, images: Tensor) -> Tensor:
        said = [loss.probabilities(loss.logits(net(images).float())) for net, loss in zip(self.members, self.losses, strict=True)]
        return torch.stack([p / p.sum(dim=1, keepdim=True) for p in said]).mean(dim=0).clamp_min(1e-38).log()


def _joined(members: Iterable[Net], losses: Iterable[Loss]) -> Net:
    return Net(MeanProbability(members, losses), nn.Identity())


@dataclass(frozen=True)
class _Ensemble(Stages):
    """An epoch of a member consists of several passes over its subset, so that all members together see about as many images as
    one plain training.
    """

    members: int = param(4, "number of models", low=1, tune=(4, 8))

    def epochs(self, spec: TrialSpec) -> int:
        return spec.recipe.epochs  # all members together see the training subset once per epoch

    def trainings(self, context: StageContext) -> Iterator[Stage]:
        labels, sizes = context.split.train.labels, context.split.counts.long()
        drawn = torch.Generator(labels.device).manual_seed(context.spec.seed)
        pool = torch.arange(len(labels), device=labels.device)
        made: list[Predictor] = []
        for number in range(self.members):
            part_of_it = pool[balanced_part(labels[pool], len(sizes), drawn)]
            repeats = max(1, round(len(labels) / (self.members * len(part_of_it))))
            member = context.training(sampling=Fixed(part_of_it, repeats), seed=context.spec.seed + 1_000_003 * number)
            yield Stage(member)
            made.append(member)
            pool = self.next_pool(pool, made, context)
        whole = _joined((member.evaluated for member in made), (member.loss for member in made))
        yield Stage(context.training(model=whole, epochs=0, loss=Softmax()))

    def network(self, made: Blueprint) -> Net:
        loss = cast(Loss, build_parts(made.spec.method.params)["loss"])
        return _joined((made.plain() for _ in range(self.members)), [loss] * self.members)

    def next_pool(self, pool: Tensor, made: list[Predictor], context: StageContext) -> Tensor:
        """Positions from which the next member's subset is drawn."""
        return pool


@part("stages", "easy_ensemble")
class EasyEnsemble(_Ensemble):
    """Each model is trained on its own balanced subset, drawn from all images; their probabilities are averaged."""


@part("stages", "balance_cascade")
class BalanceCascade(_Ensemble):
    """Like EasyEnsemble, but each model is trained only on images that the earlier models do not classify well.

    After each model, the images of class c to which the ensemble assigns the highest probability of c are removed, so that n_c ·
    (n_min/n_c)^(i/(T−1)) of them remain after i of T models: the paper's rule, applied to every class relative to the smallest.
    """

    def next_pool(self, pool: Tensor, made: list[Predictor], context: StageContext) -> Tensor:
        labels, sizes = context.split.train.labels, context.split.counts
        known = torch.stack([probabilities_of(member, context.split.train) for member in made]).mean(dim=0)
        known = known.gather(1, labels[:, None])[:, 0]
        left = []
        for label in range(len(sizes)):
            mine = pool[labels[pool] == label]
            share = (sizes.min() / sizes[label]) ** (len(made) / max(1, self.members - 1))
            keep = max(int(sizes.min()), round(float(sizes[label] * share)))
            left.append(mine[known[mine].argsort(stable=True)[:keep]])
        return torch.cat(left)
