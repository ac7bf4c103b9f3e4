"""Noise in the shape of CIFAR-10-LT at imbalance factor 100: the cost of training does not depend on what pictures show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from lt_core.data.loader import Images, Split
from lt_core.data.longtail import training_sizes
from lt_core.data.sets import DATASETS
from lt_core.fields import param
from lt_core.methods import resolve
from lt_core.parts import part
from lt_core.recipes import RECIPES
from lt_core.sampling import Instance
from lt_core.spec import DataSpec, TrialSpec

DATA = DataSpec(dataset="cifar10", imbalance_factor=100)
COUNTS = training_sizes(DATA)  # 5000 2997 1796 1077 645 387 232 139 83 50
TEST_COUNT = DATASETS["cifar10"].test_count


@part("sampling", "benchmark_first")
class First(Instance):
    """The first ``benchmark_images`` of a shuffled epoch, so that a round of a benchmark need not be a whole epoch."""

    benchmark_images: int = param(1, "images per epoch", low=1)

    def epoch(self, labels: Tensor, counts: Tensor, generator: Generator, progress: float = 0.0) -> Tensor:
        return super().epoch(labels, counts, generator)[: self.benchmark_images]


def noise_spec(images: int, **changes: Any) -> TrialSpec:
    """ResNet-32 with softmax cross-entropy, in epochs of ``images`` images, and the recipe cifar_ldam with ``changes``."""
    method = resolve("softmax", {"sampling": "benchmark_first", "benchmark_images": images})
    return TrialSpec(DATA, method, replace(RECIPES["cifar_ldam"], **changes))


def noise_split(device: torch.device, test_count: int = 0, seed: int = 0) -> Split:
    """12,406 training images and ``test_count`` test images, drawn from ``seed``."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(len(COUNTS)), torch.tensor(COUNTS))

    def images(labels: Tensor) -> Images:
        pixels = torch.randint(0, 256, (len(labels), 32, 32, 3), generator=draw, dtype=torch.uint8)
        return Images(pixels.to(device), labels.to(device))

    return Split(
        train=images(labels),
        validation=images(labels[:0]),
        test=images(torch.arange(test_count) % len(COUNTS)),
        counts=torch.tensor(COUNTS, dtype=torch.float64, device=device),
        shape=(32, 32, 3),
    )
