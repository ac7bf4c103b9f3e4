"""The papers' formulas, computed number by number in float64.

A number is a tensor without dimensions, so that torch can differentiate formulas that are plain loops over images and classes.
They use no operators of this project, no broadcasting and no fused losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Row = list[Tensor]
#: (outputs of one image, its label) → its loss.
ImageLoss = Callable[[Row, int], Tensor]


@dataclass(frozen=True)
class Batch:
    """The input of a method's loss: a row of outputs and a row of features per image, the labels, and all class sizes."""

    outputs: list[Row]
    features: list[Row]
    labels: list[int]
    counts: list[int]

    def losses(self, loss: ImageLoss) -> Row:
        return [loss(row, y) for row, y in zip(self.outputs, self.labels, strict=True)]


#: A batch → a scalar.
Formula = Callable[[Batch], Tensor]


def total(numbers: Sequence) -> Tensor:
    """The sum of the numbers."""
    made = numbers[0]
    for number in numbers[1:]:
        made = made + number
    return made


def rows_of(matrix: Tensor) -> list[Row]:
    """The rows of a matrix, as numbers with respect to which torch can differentiate."""
    return [[number.detach().clone().requires_grad_() for number in row] for row in matrix]


def slopes(rows: list[Row]) -> Tensor:
    """The gradients that `backward` has stored in the rows, as a matrix."""
    return torch.stack([torch.stack([n.grad if n.grad is not None else torch.zeros_like(n) for n in row]) for row in rows])


def log_sum_exp(row: Sequence[Tensor]) -> Tensor:
    """The logarithm of the sum of the exponentials."""
    top = max(z.item() for z in row)
    return top + torch.log(total([torch.exp(z - top) for z in row]))


def cross_entropy(row: Row, y: int) -> Tensor:
    """−log softmax(z)_y."""
    return log_sum_exp(row) - row[y]


def softplus(z: Tensor) -> Tensor:
    """log(1 + exp z)."""
    return z + torch.log(1 + torch.exp(-z)) if z > 0 else torch.log(1 + torch.exp(z))


def binary(z: Tensor, positive: bool) -> Tensor:
    """The negative logarithm of the probability that a sigmoid gives to the truth."""
    return softplus(-z) if positive else softplus(z)


def mean_of(loss: ImageLoss) -> Formula:
    """The mean of the loss over images."""
    return lambda batch: total(batch.losses(loss)) / len(batch.labels)


def weighted(loss: ImageLoss, weights: Callable[[list[int]], list[float]], by: str) -> Formula:
    """Σ w·loss, divided by the number of images, or by the sum of the batch's weights as in torch's weighted mean."""

    def formula(batch: Batch) -> Tensor:
        of_class = weights(batch.counts)
        mine = [of_class[y] for y in batch.labels]
        summed = total([w * one for w, one in zip(mine, batch.losses(loss), strict=True)])
        return summed / (len(mine) if by == "images" else sum(mine))

    return formula


def to_sum_of_classes(raw: list[float]) -> list[float]:
    """The weights, scaled so that they sum to the number of classes."""
    return [w / sum(raw) * len(raw) for w in raw]


def effective_number(beta: float) -> Callable[[list[int]], list[float]]:
    """(1 − β)/(1 − β^n), scaled to sum to the number of classes, as in richardaecn/class-balanced-loss and kaidic/LDAM-DRW."""
    return lambda counts: to_sum_of_classes([(1 - beta) / (1 - beta**n) for n in counts])


def inverse(power: float) -> Callable[[list[int]], list[float]]:
    """n^(−power), scaled to sum to the number of classes."""
    return lambda counts: to_sum_of_classes([1 / n**power for n in counts])
