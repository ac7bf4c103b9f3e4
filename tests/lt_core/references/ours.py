"""Our side of a comparison: the training that a declared method makes, and the gradient of its objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from lt_core.data.loader import Images, Split
from lt_core.fields import build
from lt_core.methods import resolve
from lt_core.parts import build_parts
from lt_core.recipes import RECIPES
from lt_core.spec import DataSpec, TrialSpec
from lt_core.training.loop import Training
from tests.lt_core.references.base import Case, agree
from tests.lt_core.references.scalars import Batch, Formula, rows_of, slopes

CPU = torch.device("cpu")
SIDE = 4  # pixels, which are enough for the smallest network


def spec_of(method: str, at: Mapping[str, Any] | None = None, **recipe: Any) -> TrialSpec:
    """A trial of ``method`` with the recipe of Cao et al. 2019, 200 epochs, on a small network."""
    changed = replace(
        RECIPES["cifar_ldam"],
        **{"model": "small_cnn", "precision": "float32", "pad": 0, "flip": False, "normalize": "subset", **recipe},
    )
    return TrialSpec(build(DataSpec, {"dataset": "digits", "imbalance_factor": 10}), resolve(method, at), changed)


@lru_cache(maxsize=4)
def split_of(classes: int, seed: int) -> Split:
    """Random images with the class sizes of the case."""
    counts = torch.tensor(Case(classes, seed).counts)
    labels = torch.arange(classes).repeat_interleave(counts)
    pixels = torch.randint(0, 256, (len(labels), SIDE, SIDE, 1), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    images = Images(pixels, labels)
    return Split(images, images, images, counts.double(), (SIDE, SIDE, 1))


def training_of(method: str, case: Case, at: Mapping[str, Any] | None = None, **recipe: Any) -> Training:
    """The training of ``method`` on the case's class sizes, with its seed."""
    spec = replace(spec_of(method, at, **recipe), seed=case.seed)
    return Training(spec, split_of(case.classes, case.seed), CPU)


def part_of(method: str, group: str, at: Mapping[str, Any] | None = None) -> Any:
    """One part of a declared method."""
    return build_parts(resolve(method, at).params)[group]


def objective_agrees(
    case: Case, method: str, formula: Formula, at: Mapping[str, Any] | None = None, *, epoch: int = 0, cosines: bool = False
) -> None:
    """Compare the value of the method's whole objective in epoch ``epoch`` of 200, and its gradients with respect to outputs and
    features. The objective includes the loss, weights, averaging and feature term that the method declares.
    """
    training = training_of(method, case, at)
    training.epoch = epoch
    outputs, features = (x.requires_grad_() for x in (case.cosines if cosines else case.logits, case.features))
    value = training.objective(outputs, features, torch.tensor(case.labels))
    found = torch.autograd.grad(value, (outputs, features), allow_unused=True, materialize_grads=True)

    batch = Batch(rows_of(outputs), rows_of(features), case.labels, case.counts)
    expected = formula(batch)
    expected.backward()
    place = f"{method}, epoch {epoch}, {case}"
    agree(value, expected, f"value of {place}")
    agree(found[0], slopes(batch.outputs), f"slope by outputs of {place}")
    agree(found[1], slopes(batch.features), f"slope by features of {place}")


def switches_on(method: str, begun: Callable[[int], bool], at: Mapping[str, Any] | None = None) -> None:
    """Compare the epochs of 200 in which weights, sampling and step are active with ``begun``, which takes the epoch, from 0."""
    schedule = part_of(method, "schedule", at)
    for epoch in range(200):
        assert schedule.rebalances(epoch, 200) == begun(epoch), f"{method}: epoch {epoch} of 200"


def class_probabilities_agree(
    case: Case, sampling: Any, likely: Callable[[list[int]], list[float]], progress: float = 0.0
) -> None:
    """Compare the exact probability of drawing each class, which the image weights give without drawing."""
    counts = torch.tensor(case.counts, dtype=torch.float64)
    mass = sampling.image_weights(counts, progress) * counts
    expected = likely(case.counts)
    agree(mass / mass.sum(), [p / sum(expected) for p in expected], f"class probabilities of {sampling}")


def last_layer(training: Training) -> tuple[Tensor, Tensor]:
    """The weight and bias of a linear classifier."""
    return training.model.classifier.weight, training.model.classifier.bias
