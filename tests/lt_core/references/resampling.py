"""Samplers, which are compared by the exact probability that they give to each class."""

from __future__ import annotations

import torch

from tests.lt_core.references.base import Case, Reference
from tests.lt_core.references.cross_entropy import DRW, OBJECTIVE, WEIGHTED
from tests.lt_core.references.ours import (
    class_probabilities_agree,
    objective_agrees,
    part_of,
    split_of,
    switches_on,
)
from tests.lt_core.references.scalars import cross_entropy, inverse, mean_of, weighted

PROBABILITIES = "the exact probability of drawing each class"
BBN_SAMPLER = "megvii-research/BBN lib/dataset/imbalance_cifar.py @ 7992e90"
PRIORITY = "facebookresearch/classifier-balancing data/ClassPrioritySampler.py @ f162ade"
NO_CODE_SAHOO = "no public code (the repository of Sahoo et al. 2020 contains none)"
DRAWS = (
    "Each image is drawn independently, whereas the code walks through the images of a class in shuffled cycles.",
    "The class probabilities are the same, and only the order within a class differs.",
)


def uniform(counts: list[int]) -> list[float]:
    return [1.0] * len(counts)


def check_over_sampling(case: Case) -> None:
    class_probabilities_agree(case, part_of("over_sampling", "sampling"), uniform)


def check_under_sampling(case: Case, method: str = "under_sampling") -> None:
    """An epoch has as many images of each class as the smallest class has, has none twice, and differs from the other epoch."""
    sampling, train = part_of(method, "sampling"), split_of(case.classes, case.seed).train
    counts, generator = torch.tensor(case.counts), torch.Generator().manual_seed(case.seed)
    epochs = [sampling.epoch(train.labels, counts, generator).tolist() for _ in range(2)]
    for drawn in epochs:
        assert len(set(drawn)) == len(drawn)
        of_class = [sum(int(train.labels[i]) == c for i in drawn) for c in range(case.classes)]
        assert of_class == [min(case.counts)] * case.classes
    assert set(epochs[0]) != set(epochs[1])


def check_os_cs(case: Case) -> None:
    class_probabilities_agree(case, part_of("os_cs", "sampling"), uniform)
    objective_agrees(case, "os_cs", weighted(cross_entropy, inverse(1.0), by="images"))


def check_us_cs(case: Case) -> None:
    check_under_sampling(case, "us_cs")
    objective_agrees(case, "us_cs", weighted(cross_entropy, inverse(1.0), by="images"))


def check_ce_drs(case: Case) -> None:
    switches_on("ce_drs", lambda epoch: epoch // 160 == 1)
    class_probabilities_agree(case, part_of("ce_drs", "sampling"), uniform)
    objective_agrees(case, "ce_drs", mean_of(cross_entropy), epoch=199)


def check_square_root(case: Case) -> None:
    sampling = part_of("square_root_sampling", "sampling")
    class_probabilities_agree(case, sampling, lambda counts: [(n / sum(counts)) ** 0.5 * sum(counts) for n in counts])


def check_progressive(case: Case) -> None:
    """λ comes from linspace(0, 1, epochs), and the balanced weights are scaled to the sum of the natural ones."""
    method = "progressive_sampling"
    sampling, schedule = part_of(method, "sampling"), part_of(method, "schedule")
    for epoch in (0, 1, 44, 88, 89):
        share = epoch / 89

        def likely(counts: list[int], share: float = share) -> list[float]:
            return [share * sum(counts) / len(counts) + (1 - share) * n for n in counts]

        class_probabilities_agree(case, sampling, likely, schedule.progress(epoch, 90))


def check_reverse(case: Case) -> None:
    sampling = part_of("reverse_sampling", "sampling")
    class_probabilities_agree(case, sampling, lambda counts: [max(counts) / n for n in counts])


FEW = (
    "An epoch has as many images of each class as the smallest class has, and so fewer steps than an epoch of other methods: 500 "
    "instead of 12,406 images on CIFAR-10 at imbalance factor 100.",
    "Epochs are those of the recipe. To train for as many steps as other methods, set a larger number of epochs.",
)

REFERENCES = (
    Reference(
        "over_sampling",
        BBN_SAMPLER + " (balance)",
        PROBABILITIES,
        check_over_sampling,
        deviations=(
            (
                "An epoch has as many draws as there are training images, whereas Buda et al. 2018 repeat images until all "
                "classes are as large as the largest.",
                "Ours is what the code does.",
            ),
        ),
    ),
    Reference(
        "under_sampling",
        "no public code; Buda et al. 2018: random majority under-sampling",
        "the number of images of each class in an epoch, and the images of one epoch with those of the next, which must differ",
        check_under_sampling,
        deviations=(
            (
                "The images are drawn anew in each epoch, whereas the paper draws them once.",
                "No image is then lost to the whole training.",
            ),
            FEW,
        ),
    ),
    Reference("os_cs", NO_CODE_SAHOO, f"{PROBABILITIES}, and {WEIGHTED}", check_os_cs),
    Reference(
        "us_cs",
        NO_CODE_SAHOO,
        f"the number of images of each class in an epoch, and {WEIGHTED}",
        check_us_cs,
        deviations=(FEW,),
    ),
    Reference(
        "ce_drs",
        DRW,
        f"{PROBABILITIES}, {OBJECTIVE}, and the epoch of the switch",
        check_ce_drs,
        deviations=(
            (
                "From epoch 160 of 200 on, all classes are equally likely. The code's sampler draws each image in proportion "
                "to (1 − β)/(1 − β^n).",
                "The paper's DRS is class-balanced, and no published figure comes from the code's sampler, which is never "
                "passed to the loader.",
            ),
        ),
    ),
    Reference("square_root_sampling", PRIORITY + " (nroot 2)", PROBABILITIES, check_square_root, (DRAWS,)),
    Reference(
        "progressive_sampling", PRIORITY + " (cycle 0)", f"{PROBABILITIES}, in five epochs of 90", check_progressive, (DRAWS,)
    ),
    Reference("reverse_sampling", BBN_SAMPLER + " (reverse)", PROBABILITIES, check_reverse),
)
