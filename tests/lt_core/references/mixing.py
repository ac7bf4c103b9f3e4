"""Mixup, manifold mixup and Remix: one step of each on a given batch, whose share λ and partners are known beforehand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lt_core.training.loop import Training
from tests.lt_core.references.base import BATCH, Case, Reference, agree
from tests.lt_core.references.ours import training_of
from tests.lt_core.references.scalars import Row, cross_entropy, rows_of, slopes, total

VALUE = "the loss of a step and its gradient with respect to images and network, given the share λ and the partners"


def beta_and_partners(training: Training) -> tuple[float, list[int]]:
    """The random numbers of the first step: λ from Beta(1, 1), and a permutation that gives each image its partner."""
    generator = torch.Generator()
    generator.set_state(training.order.get_state())
    share = np.random.default_rng(training.order.initial_seed()).beta(1.0, 1.0)
    return float(share), torch.randperm(BATCH, generator=generator).tolist()


def label_shares(case: Case, share: float, partners: list[int], remix: bool) -> list[float]:
    """The weight of each image's own label: λ, or with Remix 0 or 1 if the class sizes differ at least threefold."""
    shares = []
    for image, partner in enumerate(partners):
        ours, theirs = (case.counts[case.labels[i]] for i in (image, partner))
        taken = share
        if remix and ours / theirs >= 3 and share < 0.5:
            taken = 0.0
        if remix and ours * 3 / theirs <= 1 and 1 - share < 0.5:
            taken = 1.0
        shares.append(taken)
    return shares


def check_input(case: Case, method: str) -> None:
    """Compare a step of a network that is a single layer without bias, on images that are as wide as the case's features."""
    training = training_of(method, case)
    images, weights = (x.requires_grad_() for x in (case.features - 0.7, case.logits.T[:, : case.features.shape[1]].contiguous()))
    training.images = lambda positions: (images, torch.tensor(case.labels))  # type: ignore[method-assign]
    training.forward = lambda x, labels: (x @ weights.T, x)  # type: ignore[method-assign]
    share, partners = beta_and_partners(training)
    value = training.step(torch.arange(BATCH))
    found = torch.autograd.grad(value, (images, weights))

    rows, layer = rows_of(images), rows_of(weights)
    losses = []
    for image, (partner, taken) in enumerate(zip(partners, label_shares(case, share, partners, method == "remix"), strict=True)):
        mixed = [share * a + (1 - share) * b for a, b in zip(rows[image], rows[partner], strict=True)]
        outputs: Row = [total([x * w for x, w in zip(mixed, column, strict=True)]) for column in layer]
        losses.append(
            taken * cross_entropy(outputs, case.labels[image]) + (1 - taken) * cross_entropy(outputs, case.labels[partner])
        )
    expected = total(losses) / BATCH
    expected.backward()
    agree(value, expected, f"value of {method}, {case}")
    agree(found[0], slopes(rows), f"slope by images of {method}, {case}")
    agree(found[1], slopes(layer), f"slope by weights of {method}, {case}")


def check_mixup(case: Case) -> None:
    check_input(case, "mixup")


def check_remix(case: Case) -> None:
    check_input(case, "remix")


def outputs_by_labels(outputs: Tensor, labels: list[int]) -> Tensor:
    """The mean cross-entropy of a batch, computed number by number."""
    return total([cross_entropy(list(row), y) for row, y in zip(outputs, labels, strict=True)]) / len(labels)


def check_manifold(case: Case) -> None:
    """Compare a step in which the network's own groups run one by one, and the features are mixed at the layer that was drawn."""
    training = training_of("manifold_mixup", case)
    training.train_mode()
    positions = torch.arange(BATCH)
    images, labels = training.images(positions)
    share, partners = beta_and_partners(training)
    draws = np.random.default_rng(training.order.initial_seed())
    draws.beta(1.0, 1.0)
    layer = int(draws.integers(3))
    parameters = list(training.model.parameters())
    value = training.step(positions)
    found = torch.autograd.grad(value, parameters)

    hidden = images
    for number, group in enumerate(training.model.backbone.groups):  # type: ignore[arg-type]
        if number == layer:
            hidden = torch.stack([share * hidden[i] + (1 - share) * hidden[j] for i, j in enumerate(partners)])
        hidden = group(hidden)
    outputs = training.model.classifier(hidden.mean(dim=(2, 3)))
    theirs = [int(labels[j]) for j in partners]
    expected = share * outputs_by_labels(outputs, labels.tolist()) + (1 - share) * outputs_by_labels(outputs, theirs)
    slopes_by = torch.autograd.grad(expected, parameters)
    agree(value, expected, f"value of manifold mixup, {case}")
    whole = [torch.cat([s.flatten() for s in mine]) for mine in (found, slopes_by)]
    agree(whole[0], whole[1], f"slope of manifold mixup, {case}")


REFERENCES = (
    Reference("mixup", "facebookresearch/mixup-cifar10 train.py @ eaff31a", VALUE, check_mixup),
    Reference(
        "manifold_mixup",
        "vikasverma1077/manifold_mixup supervised/models/preresnet.py, utils.py, main.py @ 870ef77",
        "the loss of a step and its gradient with respect to the network's parameters, given the share λ, the partners and the "
        "layer",
        check_manifold,
        deviations=(
            (
                "The loss mixes the cross-entropies of the two labels, whereas the authors' main.py takes a binary "
                "cross-entropy of the softmax.",
                "Ours is the loss in the paper, and zhangyongshun/BagofTricks-LT ports it in the same way.",
            ),
            (
                "α is 1 by default, whereas the authors use 2 with CIFAR.",
                "Comparisons of methods for long-tailed data use 1.",
            ),
        ),
    ),
    Reference(
        "remix",
        "zhangyongshun/BagofTricks-LT lib/core/combiner.py @ ce7859a (a port; the authors have no public code)",
        VALUE,
        check_remix,
        deviations=(
            (
                "The shares of the two labels weight the losses of each image; the port multiplies the batch's mean loss for "
                "each of the two labels by them.",
                "The paper's rule is for a single image, but the port's criterion has already averaged when the shares are "
                "applied.",
            ),
        ),
    ),
)
