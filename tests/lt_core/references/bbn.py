"""The bilateral-branch network: one step, where the features of its two branches are given."""

from __future__ import annotations

import types

import torch

from tests.lt_core.references.base import BATCH, Case, Reference, agree
from tests.lt_core.references.ours import training_of
from tests.lt_core.references.scalars import cross_entropy, rows_of, slopes, total


def check_bbn(case: Case) -> None:
    """`bbn_mix`: 2·[l·f_a ; (1 − l)·f_b] through one classifier, l·CE(y_a) + (1 − l)·CE(y_b), in one of three epochs of 200."""
    epoch = (0, 100, 199)[case.seed % 3]
    training = training_of("bbn", case)
    training.epoch = epoch
    ours, theirs = case.features.requires_grad_(), (case.features.flip(0) + 0.1).detach().requires_grad_()
    reversed_labels = case.labels[::-1]
    net = training.model.backbone
    both = torch.tensor(case.labels + reversed_labels)
    training.images = lambda positions: (positions, both)  # type: ignore[method-assign]
    branches = {net.conventional: ours, net.rebalancing: theirs}
    net.branch = types.MethodType(lambda self, images, block, of=branches: of[block], net)  # type: ignore[method-assign]
    classifier = torch.nn.Linear(2 * ours.shape[1], case.classes).double()
    training.model.classifier = classifier
    value = training.step(torch.arange(BATCH))
    found = torch.autograd.grad(value, (ours, theirs, classifier.weight, classifier.bias))

    share = 1 - (epoch / 200) ** 2
    first, second, layer, bias = rows_of(ours), rows_of(theirs), rows_of(classifier.weight), rows_of(classifier.bias[None])
    losses = []
    for a, b, y, z in zip(first, second, case.labels, reversed_labels, strict=True):
        mixed = [2 * share * f for f in a] + [2 * (1 - share) * f for f in b]
        outputs = [
            total([x * w for x, w in zip(mixed, column, strict=True)]) + c for column, c in zip(layer, bias[0], strict=True)
        ]
        losses.append(share * cross_entropy(outputs, y) + (1 - share) * cross_entropy(outputs, z))
    expected = total(losses) / BATCH
    expected.backward()
    agree(value, expected, f"value of bbn, epoch {epoch}, {case}")
    for name, mine, reference in zip(
        ("conventional", "re-balancing", "weight", "bias"), found, (first, second, layer, bias), strict=True
    ):
        agree(mine.flatten(), slopes(reference).flatten(), f"slope by {name} of bbn, epoch {epoch}, {case}")


REFERENCES = (
    Reference(
        "bbn",
        "megvii-research/BBN lib/core/combiner.py, lib/dataset/imbalance_cifar.py @ 7992e90",
        "the loss of a step and its gradient with respect to the features of both branches and to the classifier, in three "
        "epochs of 200",
        check_bbn,
        deviations=(
            (
                "The code uses Nesterov momentum, drops the learning rate at epochs 120 and 160, and leaves out a smaller "
                "last batch. Here, the recipe decides about the first two, and a smaller last batch is always kept.",
                "Recipes are separate from methods here, so that all methods can be compared with the same recipe.",
            ),
        ),
    ),
)
