"""Weights learnt on a balanced meta set: one step on a linear network, whose second order is written out or found numerically."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.ours import training_of

Vector = np.ndarray
H = 1e-4  # step of a central difference


def log_softmax(logits: Vector) -> Vector:
    """Of one image."""
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())


class Linear:
    """Loss and slope of a linear network [C, width + 1], bias last, for one image at a time."""

    def __init__(self, images: Vector, labels: list[int]) -> None:
        self.images, self.labels = [np.append(x, 1.0) for x in images], labels

    def losses(self, weight: Vector) -> list[float]:
        return [-log_softmax(weight @ x)[y] for x, y in zip(self.images, self.labels, strict=True)]

    def slopes(self, weight: Vector) -> list[Vector]:
        made = []
        for x, y in zip(self.images, self.labels, strict=True):
            p = np.exp(log_softmax(weight @ x))
            p[y] -= 1
            made.append(np.outer(p, x))
        return made


def question(case: Case, method: str, rate: float):  # type: ignore[no-untyped-def]
    """Our training with a linear network, and the batch and the meta batch for the reference."""
    training = training_of(method, case)
    training.rate = rate
    width = case.features.shape[1]
    model = training.model
    model.backbone, model.classifier = nn.Identity(), nn.Linear(width, case.classes).double()
    generator = torch.Generator().manual_seed(case.seed)
    images, labels = case.features - 0.8, torch.tensor(case.labels)
    meta = torch.rand(12, width, generator=generator, dtype=torch.float64), torch.arange(12) % case.classes
    training.images = lambda positions: (images, labels)  # type: ignore[method-assign]
    training.forward = lambda x, y: (model.classifier(x), x)  # type: ignore[method-assign]
    step = training.step
    step.meta_batch = lambda: meta  # type: ignore[attr-defined]
    step.outputs_at = lambda parameters, x: torch.func.functional_call(model, parameters, (x,))  # type: ignore[attr-defined]
    weight = torch.cat([model.classifier.weight, model.classifier.bias[:, None]], 1).detach().numpy()
    return training, weight, Linear(images.numpy(), case.labels), Linear(meta[0].numpy(), meta[1].tolist())


def slope_by(numbers: Vector, value: Callable[[Vector], float]) -> Vector:
    """Central differences, number by number."""
    made = np.zeros_like(numbers)
    for place in np.ndindex(*numbers.shape):
        moved = [numbers.copy() for _ in range(2)]
        moved[0][place] += H
        moved[1][place] -= H
        made[place] = (value(moved[0]) - value(moved[1])) / (2 * H)
    return made


def check_l2rw(case: Case) -> None:
    """ε at zero, one virtual step, the slope of the mean meta loss by ε; what is below zero cut off; a sum of one."""
    training, weight, batch, meta = question(case, "l2rw", rate=0.1)
    slopes = batch.slopes(weight)
    downhill = -slope_by(
        np.zeros(len(slopes)),
        lambda eps: float(np.mean(meta.losses(weight - sum(e * s for e, s in zip(eps, slopes, strict=True))))),
    )
    kept = np.maximum(downhill, 0.0)
    weights = kept / (kept.sum() + (kept.sum() == 0))
    value = training.step(torch.arange(len(slopes)))
    (found,) = torch.autograd.grad(value, training.model.classifier.weight)
    agree(value, float(np.dot(weights, batch.losses(weight))), f"value of l2rw, {case}")
    expected = sum(w * s for w, s in zip(weights, slopes, strict=True))[:, :-1]
    agree(found.flatten(), expected.flatten(), f"slope of l2rw, {case}")


def weigh(parameters: list[Vector], losses: list[float]) -> Vector:
    """σ of the MLP 1-100-1 with a rectifier, of each loss."""
    first, bias, second, last = parameters
    hidden = [np.maximum(first[:, 0] * loss + bias, 0.0) for loss in losses]
    return np.array([1 / (1 + np.exp(-(second[0] @ h + last[0]))) for h in hidden])


def check_meta_weight_net(case: Case) -> None:
    """Weights σ(MLP(loss)) with a sum of one, a virtual step at the current rate, the meta loss's slope by the weighting, all by
    the chain rule; then, with the weighting moved by Nesterov's SGD, the weighted loss of the real step.
    """
    rate = 0.5
    training, weight, batch, meta = question(case, "meta_weight_net", rate)
    net = training.step.net.double()  # type: ignore[attr-defined]
    first, bias, second, _ = before = [p.detach().numpy().copy() for p in net.parameters()]
    losses, slopes = batch.losses(weight), batch.slopes(weight)

    v = weigh(before, losses)
    ahead = weight - rate * sum(w * s for w, s in zip(v / v.sum(), slopes, strict=True))
    uphill = sum(meta.slopes(ahead)) / len(meta.labels)
    by_share = np.array([-rate * (uphill * s).sum() for s in slopes])
    by_v = (by_share - (v / v.sum() * by_share).sum()) / v.sum()
    expected = [np.zeros_like(p) for p in before]
    for loss, slope, said in zip(losses, by_v, v, strict=True):
        at_output = slope * said * (1 - said)
        hidden = np.maximum(first[:, 0] * loss + bias, 0.0)
        at_hidden = at_output * second[0] * (hidden > 0)
        for total, part in zip(
            expected, (at_hidden[:, None] * loss, at_hidden, at_output * hidden[None], at_output), strict=True
        ):
            total += part

    value = training.step(torch.arange(len(slopes)))
    moved = []
    for number, (p, slope, parameter) in enumerate(zip(before, expected, net.parameters(), strict=True)):
        agree(parameter.grad.flatten(), slope.flatten(), f"slope by the weighting's parameter {number}, {case}")
        decayed = slope + 5e-4 * p
        moved.append(p - 1e-5 * (decayed + 0.9 * decayed))
        agree(parameter.flatten(), moved[-1].flatten(), f"the weighting's parameter {number}, {case}", 1e-12)
    v = weigh(moved, losses)
    agree(value, float(np.dot(v / v.sum(), losses)), f"value of meta_weight_net, {case}")


REFERENCES = (
    Reference(
        "meta_weight_net",
        "xjtushujun/Meta-weight-net_class-imbalance meta-weight-net-class-imbalance.py @ 20c3276",
        "slope of the meta loss by the weighting's parameters; its step; value of the weighted loss",
        check_meta_weight_net,
        deviations=(
            (
                "the meta set is ten images a class of the training subset itself, or the validation split",
                "the code takes ten images a class from outside the subset, which the other methods do not get",
            ),
            ("the meta batch is drawn with classes alike", "the code shuffles a meta set in which they are"),
        ),
    ),
    Reference(
        "l2rw",
        "uber-research/learning-to-reweight-examples models/reweight_model.py @ 0b616c9",
        "value of the weighted loss and its slope, the weights by central differences through the virtual step",
        check_l2rw,
        deviations=(
            ("the virtual step is as long as the current rate, in the code of length one", "only the sign and the shares count"),
            (
                "the meta set is ten images a class of the training subset itself, or the validation split",
                "the code takes clean images from outside the subset, which the other methods do not get",
            ),
        ),
    ),
    # To compare it: replace check=None by a function of a `Case`, and agrees_on by what it compares.
    Reference(
        "balanced_meta_softmax",
        "jiawei-ren/BalancedMetaSoftmax-Classification data/MetaSampler.py, run_networks.py @ 34a61e4",
        "not compared here yet; tests/lt_core/test_steps.py holds it by hand-computed values",
        None,
    ),
)
