"""Losses that ignore class sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.lt_core.references.base import Case, Reference
from tests.lt_core.references.ours import objective_agrees
from tests.lt_core.references.scalars import Batch, ImageLoss, Row, binary, cross_entropy, effective_number, mean_of, total

CB = "richardaecn/class-balanced-loss src/cifar_main.py @ 1d78572"
DRW = "kaidic/LDAM-DRW losses.py, cifar_train.py @ 2536330"
OBJECTIVE = "value and slope of the batch's loss"


def sigmoid_loss(row: Row, y: int) -> Tensor:
    """Σ_c of binary cross-entropies."""
    return total([binary(z, c == y) for c, z in enumerate(row)])


def focal_loss(gamma: float) -> ImageLoss:
    """Σ_c (1 − p_c^t)^γ of binary cross-entropies."""

    def loss(row: Row, y: int) -> Tensor:
        terms = []
        for c, z in enumerate(row):
            p = 1 / (1 + torch.exp(-z))
            wrong = 1 - p if c == y else p
            terms.append(wrong**gamma * binary(z, c == y))
        return total(terms)

    return loss


def focal_of_cross_entropy(v: Tensor, gamma: float = 1.0) -> Tensor:
    """(1 − e^(−v))^γ·v of a cross-entropy v: `focal_loss` of LDAM-DRW."""
    return (1 - torch.exp(-v)) ** gamma * v


def weighted_focal(batch: Batch) -> Tensor:
    """`FocalLoss` of LDAM-DRW with `--train_rule Reweight`: v is the weighted cross-entropy, the mean is over images."""
    weights = effective_number(0.9999)(batch.counts)
    pairs = zip(batch.outputs, batch.labels, strict=True)
    return total([focal_of_cross_entropy(weights[y] * cross_entropy(row, y)) for row, y in pairs]) / len(batch.labels)


def check_softmax(case: Case) -> None:
    objective_agrees(case, "softmax", mean_of(cross_entropy))


def check_sigmoid(case: Case) -> None:
    objective_agrees(case, "sigmoid", mean_of(sigmoid_loss))


def check_focal(case: Case) -> None:
    gamma = (0.5, 1.0, 2.0)[case.seed % 3]
    objective_agrees(case, "focal", mean_of(focal_loss(gamma)), {"gamma": gamma})


def check_focal_softmax(case: Case) -> None:
    objective_agrees(case, "focal_softmax", mean_of(lambda row, y: focal_of_cross_entropy(cross_entropy(row, y))))
    reweighted = {"weights": "effective_number", "focal_on": "weighted_cross_entropy"}
    objective_agrees(case, "focal_softmax", weighted_focal, reweighted)


REFERENCES = (
    Reference("softmax", CB, OBJECTIVE, check_softmax),
    Reference("sigmoid", CB, OBJECTIVE, check_sigmoid),
    Reference("focal", CB, f"{OBJECTIVE}, γ 0.5, 1 and 2", check_focal),
    Reference(
        "focal_softmax",
        DRW,
        f"{OBJECTIVE}, alone and with the re-weighting of the table of Kang et al. 2021 (focal_on=weighted_cross_entropy)",
        check_focal_softmax,
        deviations=(
            (
                "with weights, unless focal_on says otherwise, the modulator takes the unweighted cross-entropy",
                "Lin et al. 2017 weigh the modulated loss; the code's way is the choice focal_on=weighted_cross_entropy",
            ),
        ),
    ),
)
