"""Influence-balanced loss."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.cross_entropy import OBJECTIVE
from tests.lt_core.references.ours import objective_agrees, switches_on, training_of
from tests.lt_core.references.scalars import Batch, cross_entropy, inverse, log_sum_exp, mean_of, total


def influence(through: bool, alpha: float):  # type: ignore[no-untyped-def]
    """`IBLoss` with `--train_rule IBReweight`: Σ_i w_y·CE·α/(‖p − onehot‖₁·‖h‖₁ + 0.001) over the number of images."""

    def formula(batch: Batch) -> Tensor:
        of_class, terms = inverse(1.0)(batch.counts), []
        for row, feature, y in zip(batch.outputs, batch.features, batch.labels, strict=True):
            below = log_sum_exp(row)
            distance = total([torch.abs(torch.exp(z - below) - (1 if c == y else 0)) for c, z in enumerate(row)])
            factor = alpha / (distance * total([torch.abs(h) for h in feature]) + 0.001)
            terms.append(of_class[y] * cross_entropy(row, y) * (factor if through else factor.detach()))
        return total(terms) / len(terms)

    return formula


def released_rate(epoch: int) -> float:
    """`adjust_learning_rate` of IB-Loss with an initial rate of 0.1; epochs are counted from 0."""
    number = epoch + 1
    if number > 100:
        return 0.1 * (1e-6 if number > 180 else 1e-4 if number > 160 else 1e-2)
    return 0.1 * number / 5 if number <= 5 else 0.1


def check_influence_balanced(case: Case) -> None:
    method = "influence_balanced"
    switches_on(method, lambda epoch: epoch >= 100)
    objective_agrees(case, method, mean_of(cross_entropy), epoch=99)
    objective_agrees(case, method, influence(through=True, alpha=1000.0), epoch=100)
    of_paper = {"ib_gradient": "stopped", "ib_alpha": 10.0}
    objective_agrees(case, method, influence(through=False, alpha=10.0), of_paper, epoch=100)
    if case.seed == 0 and case.classes == 10:
        training = training_of(method, case, batch_size=10**6)
        for epoch in (0, 4, 50, 99, 100, 159, 160, 180, 199):
            training.epoch = epoch
            training.run_epoch()
            agree(training.rate, released_rate(epoch), f"rate of epoch {epoch}")


REFERENCES = (
    Reference(
        "influence_balanced",
        "pseulki/IB-Loss losses.py, cifar_train.py @ b29b8b0",
        f"{OBJECTIVE} with respect to outputs and features before and after epoch 100 of 200, for the code's and for the "
        "paper's definition; the epoch of the switch; and the learning rates",
        check_influence_balanced,
        deviations=(
            (
                "By default, the method does what the code does, where the gradient flows through the weight. In Eq. 9 and 10 "
                "of the paper, the weight reads as a constant.",
                "The authors' commands run that code. Set ib_gradient=stopped for the other reading. With "
                "ib_alpha=10,ib_rate=1, gradient steps have the same length at the recipe's own learning rate, at which weight "
                "decay counts a hundred times as much.",
            ),
        ),
    ),
)
