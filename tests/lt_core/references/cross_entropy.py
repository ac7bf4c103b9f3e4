"""Losses that ignore class sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.lt_core.references.base import Case, Reference
from tests.lt_core.references.ours import objective_agrees
from tests.lt_core.references.scalars import Batch, ImageLoss, Row, binary, cross_entropy, effective_number, mean_of, total

CB = "richardaecn/class-balanced-loss src/cifar_main.py @ 1d78572"
DRW = "kaidic/LDAM-DRW losses.py, cifar_train.py @ 2536330"
OBJECTIVE = "the loss of a batch and its gradient"
WEIGHTED = "the class-weighted loss of a batch and its gradient"
DEFERRED = f"{OBJECTIVE} before and after epoch 160 of 200, and the epoch of the switch"


def sigmoid_loss(row: Row, y: int) -> Tensor:
    """The sum of the binary cross-entropies of all classes."""
    return total([binary(z, c == y) for c, z in enumerate(row)])


def focal_loss(gamma: float) -> ImageLoss:
    """The sum of (1 − p_c^t)^γ times the binary cross-entropy over all classes, where p_c^t is the probability of the truth."""

    def loss(row: Row, y: int) -> Tensor:
        terms = []
        for c, z in enumerate(row):
            p = 1 / (1 + torch.exp(-z))
            wrong = 1 - p if c == y else p
            terms.append(wrong**gamma * binary(z, c == y))
        return total(terms)

    return loss


def focal_of_cross_entropy(v: Tensor, gamma: float = 1.0) -> Tensor:
    """(1 − e^(−v))^γ·v for a cross-entropy v, as in `focal_loss` of LDAM-DRW."""
    return (1 - torch.exp(-v)) ** gamma * v


def weighted_focal(batch: Batch) -> Tensor:
    """`FocalLoss` of LDAM-DRW with `--train_rule Reweight`: v is the weighted cross-entropy, and the mean is over images."""
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
    Reference("focal", CB, f"{OBJECTIVE}, at γ = 0.5, 1 and 2", check_focal),
    Reference(
        "focal_softmax",
        DRW,
        f"{OBJECTIVE}, both without weights and with the re-weighting in the table of Kang et al. 2021 "
        "(focal_on=weighted_cross_entropy)",
        check_focal_softmax,
        deviations=(
            (
                "If there are class weights, the modulating factor depends on the unweighted cross-entropy; in the code, it "
                "depends on the weighted one.",
                "Ours is the definition of Lin et al. 2017, who weight the modulated loss. Set focal_on=weighted_cross_entropy "
                "to compute what the code does.",
            ),
        ),
    ),
)
