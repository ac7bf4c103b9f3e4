"""Methods with synthetic or augmented images, and the range loss on features."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor

from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.cross_entropy import OBJECTIVE
from tests.lt_core.references.ours import objective_agrees, part_of, training_of
from tests.lt_core.references.scalars import Batch, cross_entropy, mean_of, total

Point = list[float]
SMOTE = "scikit-learn-contrib/imbalanced-learn imblearn/over_sampling/_smote @ 8504e95 (a port); {}"


def points_of(case: Case) -> tuple[list[Point], list[int]]:
    """Forty points in the plane, few enough for brute force: four overlapping classes, one of which has a single point."""
    draw = random.Random(case.seed)
    labels = [c for c, size in enumerate((20, 12, 7, 1)) for _ in range(size)]
    return [[draw.gauss(0.8 * c, 1.0), draw.gauss(0.0, 1.0)] for c in labels], labels


def nearest(point: int, among: list[int], points: list[Point], count: int) -> list[int]:
    """The ``count`` nearest other points by Euclidean distance."""
    others = [other for other in among if other != point]
    return sorted(others, key=lambda other: sum((a - b) ** 2 for a, b in zip(points[point], points[other], strict=True)))[:count]


def between(bases: list[int], mine: list[int], points: list[Point], wanted: int, k: int, seed: int) -> list[Point]:
    """``wanted`` new points, each between a base and one of its k nearest neighbours in the class. Base, neighbour and place come
    from numpy's legacy random stream, in the order in which the library draws them.
    """
    stream = np.random.RandomState(seed)
    pairs = [(base, neighbour) for base in bases for neighbour in nearest(base, mine, points, k)]
    chosen = stream.randint(0, len(pairs), wanted)
    steps = stream.uniform(size=wanted)
    return [
        [a + gap * (b - a) for a, b in zip(points[pairs[i][0]], points[pairs[i][1]], strict=True)]
        for i, gap in zip(chosen, steps, strict=True)
    ]


def in_danger(point: int, points: list[Point], labels: list[int]) -> bool:
    """Whether at least half of its ten nearest neighbours, but not all, belong to other classes: DANGER of Han et al. 2005."""
    strangers = sum(labels[other] != labels[point] for other in nearest(point, list(range(len(points))), points, 10))
    return 5 <= strangers < 10


def check_filled(case: Case, method: str, borderline: bool) -> None:
    points, labels = points_of(case)
    for share in (1.0, 0.5):
        target, expected = int(share * 20), []
        for c in range(4):
            mine = [i for i, label in enumerate(labels) if label == c]
            if len(mine) >= target:
                continue
            if len(mine) == 1:  # it has no neighbour, so it is repeated
                expected += [points[mine[0]]] * (target - 1)
                continue
            bases = [i for i in mine if in_danger(i, points, labels)] if borderline else mine
            if bases:
                expected += between(bases, mine, points, target - len(mine), min(5, len(mine) - 1), case.seed)
        synthesis = part_of(method, "synthesis", {"smote_share": share})
        grown, _ = synthesis.fill(np.array(points), np.array(labels), case.seed)
        agree(torch.from_numpy(grown), points + expected, f"points of {method}, share {share}, {case}")


def check_smote(case: Case) -> None:
    check_filled(case, "smote", borderline=False)


def check_borderline_smote(case: Case) -> None:
    check_filled(case, "borderline_smote", borderline=True)


def check_range_loss(case: Case) -> None:
    """Cross-entropy + α·Σ_c k/Σ_{j≤k} 1/D_j + β·max(0, M − D_centre), where all distances are squared and k is 2."""
    at = {"range_alpha": 0.3, "range_beta": 0.2, "range_margin": 2.0 + case.seed}

    def squared(a: list[Tensor], b: list[Tensor]) -> Tensor:
        return total([(x - y) ** 2 for x, y in zip(a, b, strict=True)])

    def formula(batch: Batch) -> Tensor:
        value, centres = mean_of(cross_entropy)(batch), []
        for label in sorted(set(batch.labels)):
            mine = [row for row, y in zip(batch.features, batch.labels, strict=True) if y == label]
            centres.append([total(list(column)) / len(mine) for column in zip(*mine, strict=True)])
            distances = [squared(a, b) for i, a in enumerate(mine) for b in mine[i + 1 :]]
            largest = sorted(distances, key=Tensor.item)[-2:]
            if largest:
                value = value + at["range_alpha"] * len(largest) / total([1 / d for d in largest])
        gaps = [squared(a, b) for i, a in enumerate(centres) for b in centres[i + 1 :]]
        closest = min(gaps, key=Tensor.item)
        return value + at["range_beta"] * (at["range_margin"] - closest if closest < at["range_margin"] else 0.0)

    objective_agrees(case, "range_loss", formula, at)


def check_tail_augmentation(case: Case) -> None:
    """An image of class c is changed with probability 0.8·(1 − n_c/n_max), so never one of the largest class."""
    training = training_of("tail_augmentation", case)
    assert training.augmentation is not None
    labels = torch.arange(case.classes).repeat_interleave(20000 // case.classes)
    images = torch.rand(len(labels), 1, 2, 2, generator=torch.Generator().manual_seed(case.seed))
    made = training.augmentation(images, labels, torch.Generator().manual_seed(case.seed))
    touched = (made != images).flatten(1).any(1).tolist()
    chance = [0.8 * (1 - n / max(case.counts)) for n in case.counts]
    expected = [chance[y] for y in labels.tolist()]
    spread = sum(p * (1 - p) for p in expected) ** 0.5
    assert abs(sum(touched) - sum(expected)) < 5 * spread
    assert not any(t for t, p in zip(touched, expected, strict=True) if p == 0)


ONE_GAP = (
    "All coordinates of a synthetic point lie at the same fraction of the way to the neighbour; the paper's pseudo-code draws "
    "a fraction for each coordinate.",
    "The paper's text says that the point lies on the line between the two, which the pseudo-code leaves.",
)
RANDOM_BASES = (
    "The points to start from are drawn at random, whereas the paper makes the same number of synthetic points from each.",
    "A class can then be filled up to any number, not only to a multiple of its size.",
)
EACH_CLASS = (
    "Each smaller class is filled up in turn, and all other classes together count as the second class.",
    "The papers on SMOTE and Borderline-SMOTE have only two classes.",
)

REFERENCES = (
    Reference(
        "smote",
        SMOTE.format("Chawla et al. 2002, section 4.2"),
        "the synthetic points with those of a brute-force search, on forty points of four classes, at two shares of the "
        "largest class's size",
        check_smote,
        (
            ONE_GAP,
            RANDOM_BASES,
            EACH_CLASS,
            ("If a class has a single image, this image is repeated.", "It has no neighbour in its class."),
        ),
    ),
    Reference(
        "borderline_smote",
        SMOTE.format("Han et al. 2005, section 3, borderline-SMOTE1"),
        "the synthetic points with those of a brute-force search, on forty points of four classes, at two shares of the "
        "largest class's size",
        check_borderline_smote,
        (
            RANDOM_BASES,
            EACH_CLASS,
            (
                "A class without an image in danger is not filled up.",
                "The paper's algorithm makes points only from images in danger.",
            ),
            (
                "Ten neighbours decide whether an image is in danger (m = 10), whereas the paper chooses m so that about half "
                "of a class is in danger.",
                "Ten is the default of imbalanced-learn.",
            ),
        ),
    ),
    Reference(
        "tail_augmentation",
        "no public code; the slides that this project started from",
        "the number of images that are changed, which is zero in the largest class",
        check_tail_augmentation,
        tolerance="five standard deviations",
    ),
    Reference(
        "range_loss",
        "Charrin/RangeLoss-Caffe range_loss_layer.cpp @ d7305bb (a port; the authors have no public code); Zhang et al. 2017, "
        "Eq. 2 to 5",
        f"{OBJECTIVE} with respect to outputs and features, at five margins",
        check_range_loss,
        deviations=(
            (
                "By default, α is 1e-4, β is 0.01 and M is 10. The paper has 5e-5, 1e-4 and 2e4, and the port has 1e-4, 1e-3 "
                "and 2e4.",
                "Their values suit 512 unnormalised features; ours suit the averages of 64 rectified channels.",
            ),
            (
                "A class with one image in the batch has no intra-class term, and a class with a single pair uses that pair.",
                "The paper's batches contain several images of each class, and the port reads past the end if they do not.",
            ),
            (
                "Batches are drawn as they are for any other method.",
                "The paper draws a fixed number of identities, with a fixed number of images of each.",
            ),
        ),
    ),
)
