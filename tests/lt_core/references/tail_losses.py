"""Losses and weights that treat the tail differently, and the large-margin layer."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.cross_entropy import OBJECTIVE
from tests.lt_core.references.ours import objective_agrees, part_of
from tests.lt_core.references.scalars import Row, cross_entropy, log_sum_exp, mean_of, rows_of, slopes, total

BAGS = "zhangyongshun/BagofTricks-LT lib/loss/loss_impl/{} @ ce7859a"


def check_seql(case: Case) -> None:
    for gamma, threshold in ((0.9, None), (0.5, 1.5 / case.classes)):
        rare = [n / sum(case.counts) < (threshold or 0.5 / case.classes) for n in case.counts]

        def loss(row: Row, y: int, gamma: float = gamma, rare: list[bool] = rare) -> Tensor:
            spared = log_sum_exp([z for c, z in enumerate(row) if c == y or not rare[c]]) - row[y]
            return gamma * spared + (1 - gamma) * cross_entropy(row, y)

        objective_agrees(case, "seql", mean_of(loss), {"seql_gamma": gamma, "seql_lambda": threshold})


def check_cdt(case: Case) -> None:
    for gamma in (0.1, 0.3):
        of_class = [(max(case.counts) / n) ** gamma for n in case.counts]
        formula = mean_of(lambda row, y, a=of_class: cross_entropy([z / t for z, t in zip(row, a, strict=True)], y))
        objective_agrees(case, "cdt", formula, {"cdt_gamma": gamma})


def check_label_aware_smoothing(case: Case) -> None:
    """Our loss at ε is the paper's at ε, and our loss at ε·(C − 1)/C is the code's at ε."""
    largest, smallest, classes = max(case.counts), min(case.counts), case.classes
    for head, tail in ((0.3, 0.0), (0.4, 0.1)):
        epsilon = [tail + (head - tail) * math.sin(math.pi * (n - smallest) / (2 * (largest - smallest))) for n in case.counts]

        def of_paper(row: Row, y: int, epsilon: list[float] = epsilon) -> Tensor:
            others = (classes - 1) * log_sum_exp(row) - total([z for c, z in enumerate(row) if c != y])
            return (1 - epsilon[y]) * cross_entropy(row, y) + epsilon[y] / (classes - 1) * others

        def of_code(row: Row, y: int, epsilon: list[float] = epsilon) -> Tensor:
            return (1 - epsilon[y]) * cross_entropy(row, y) + epsilon[y] * (log_sum_exp(row) - total(row) / classes)

        at = {"smooth_head": head, "smooth_tail": tail}
        objective_agrees(case, "label_aware_smoothing", mean_of(of_paper), at)
        less = {key: value * (classes - 1) / classes for key, value in at.items()}
        objective_agrees(case, "label_aware_smoothing", mean_of(of_code), less)


def check_large_margin(case: Case) -> None:
    """The label's output is (λ·‖w‖‖x‖·cos θ + ‖w‖‖x‖·ψ(θ))/(1 + λ) with ψ(θ) = (−1)^k·cos(mθ) − 2k, computed from the angle."""
    m = 2 + case.seed % 3
    layer = part_of("large_margin_softmax", "head", {"lm_margin": m}).build(6, case.classes).train()
    labels, x = torch.tensor(case.labels), case.features - 1.0
    for step in range(2):
        inputs = x.clone().requires_grad_()
        layer.weight.grad = None
        F.cross_entropy(layer(inputs, labels), labels).backward()
        strength = max(100 * 0.99**step, 5.0)
        features, weights = rows_of(x), rows_of(layer.weight.double())
        losses = []
        for row, y in zip(features, case.labels, strict=True):
            outputs = [total([a * b for a, b in zip(row, w, strict=True)]) for w in weights]
            lengths = torch.sqrt(total([a * a for a in row])) * torch.sqrt(total([b * b for b in weights[y]]))
            angle = torch.acos(outputs[y] / lengths)
            k = math.floor(angle.item() / (math.pi / m))
            bent = lengths * ((-1) ** k * torch.cos(m * angle) - 2 * k)
            outputs[y] = (strength * outputs[y] + bent) / (1 + strength)
            losses.append(cross_entropy(outputs, y))
        (total(losses) / len(losses)).backward()
        place = f"large margin, m {m}, step {step}, {case}"
        agree(inputs.grad, slopes(features), f"slope by features of {place}")
        agree(layer.weight.grad.flatten(), slopes(weights).flatten(), f"slope by weights of {place}")


REFERENCES = (
    Reference(
        "seql",
        BAGS.format("equalization_loss.py") + " (a port; the authors' tztztztztz/eql.detectron2 has only the sigmoid form)",
        "the loss of a batch, γ·L(β = 1) + (1 − γ)·L(β = 0), and its gradient, with two settings",
        check_seql,
        deviations=(
            (
                "We use the expectation over one β per image in place of a random β. The code draws a β for each image and "
                "class, and the paper does not say for what it draws β.",
                "The expectation has the same gradient on average and no noise, and a trial needs no further random stream for "
                "it.",
            ),
            (
                "λ is 1/(2C) by default, which is 0.05 for ten classes and 0.005 for a hundred.",
                "These are the code's settings for CIFAR-10 and CIFAR-100 at imbalance factor 100. For CIFAR-100 at imbalance "
                "factor 50, the code has 0.006.",
            ),
        ),
    ),
    Reference(
        "cdt", BAGS.format("class_dependent_temperatures_loss.py") + " (a port)", f"{OBJECTIVE}, at γ = 0.1 and 0.3", check_cdt
    ),
    Reference(
        "label_aware_smoothing",
        "dvlab-research/MiSLAS methods.py @ 0fc381e",
        f"{OBJECTIVE} at two settings, with the paper's loss at ε and with the code's, which is the same loss at ε·(C − 1)/C",
        check_label_aware_smoothing,
        deviations=(
            (
                "The C − 1 other classes share ε, whereas in the code all C classes share it, including the label's own.",
                "Ours is the loss in the paper's section 3.2. Multiply smooth_head and smooth_tail by (C − 1)/C to get the "
                "code's loss.",
            ),
            (
                "The loss is used in a single training of the whole network, with a linear head. MiSLAS uses it in a second "
                "stage with learnable weight scaling, after a first stage with mixup.",
                "The method is the loss alone. The nearest to the two stages of MiSLAS is "
                "lws[loss=label_aware_smoothing,stage_one=mixup,retrain=0.05], but there, only the scales are trained in the "
                "second stage. The code also trains the classifier, at 0.5 (CIFAR-10) or 0.2 (CIFAR-100) of the rate, and on "
                "CIFAR-100 it updates the statistics of batch norm.",
            ),
        ),
    ),
    Reference(
        "large_margin_softmax",
        "wy1iu/LargeMargin_Softmax_Loss src/caffe/layers/largemargin_inner_product_layer.cpp @ c3e9f20",
        "the gradients of the mean loss with respect to features and weights in the first two steps, at m = 2, 3 and 4",
        check_large_margin,
        deviations=(
            (
                "λ is 100·0.99^step, but at least 5. The authors' λ is 1000·(1 + γ·step)^(−45) without a lower limit, where γ "
                "is 2e-5 on CIFAR-10.",
                "Theirs takes some ten thousand steps to decrease, whereas our schedule suits trainings of any length.",
            ),
        ),
    ),
)
