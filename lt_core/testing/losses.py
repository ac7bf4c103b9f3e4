"""What must hold for every loss."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from lt_core.losses import Loss
from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings
from lt_core.testing.trials import extreme_logits

_COUNTS = torch.tensor([500.0, 200.0, 60.0, 20.0, 5.0])


def moderate() -> tuple[Tensor, Tensor]:
    """Outputs [10, 5] in −1…1, like cosines, and labels [10]."""
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(10, 5, generator=generator) - 1, torch.arange(10) % 5


@check("loss")
def it_is_one_number_an_image(loss: type[Loss]) -> None:
    """It gives one number per image, [B], and does not average."""
    outputs, labels = moderate()
    for made in settings(loss):
        losses = made.bind(_COUNTS)(outputs, labels)
        expect(
            losses.shape == labels.shape, f"{made}: outputs of shape [10, 5] give losses of shape {list(losses.shape)}, not [10]"
        )


@check("loss")
def it_is_each_images_own(loss: type[Loss]) -> None:
    """The loss of an image does not depend on the rest of the batch, nor on chance."""
    outputs, labels = moderate()
    for made in settings(loss):
        bound = made.bind(_COUNTS)
        whole, alone = bound(outputs, labels), torch.cat([bound(outputs[i : i + 1], labels[i : i + 1]) for i in range(10)])
        expect(
            torch.allclose(whole, alone, rtol=1e-4, atol=1e-6),
            f"{made}: ten images have different losses in one batch than one by one",
        )


@check("loss")
def it_falls_as_the_right_output_rises(loss: type[Loss]) -> None:
    """It decreases as the output of the correct class increases, for a large class and for a small one."""
    for made in settings(loss):
        bound = made.bind(_COUNTS)
        for label in (0, 4):
            right = torch.nn.functional.one_hot(torch.tensor([label]), 5).float()
            labels = torch.tensor([label])
            low, high = bound(-0.9 * right, labels).item(), bound(0.9 * right, labels).item()
            expect(high < low, f"{made}: the loss of class {label} is {low:.3g} at output −0.9, but {high:.3g} at 0.9")


@check("loss")
def it_is_finite_at_extreme_outputs(loss: type[Loss]) -> None:
    """It and its gradient are finite at outputs of ±10⁴."""
    extreme, labels = extreme_logits()
    for made in settings(loss):
        outputs = extreme.clone().requires_grad_()
        losses = made.bind(torch.tensor([5000.0, 100.0, 1.0]))(outputs, labels)
        (gradient,) = torch.autograd.grad(losses.sum(), outputs)
        expect(losses.isfinite().all(), f"{made}: {int((~losses.isfinite()).sum())} of 81 losses are not finite")
        expect(gradient.isfinite().all(), f"{made}: the gradient is not finite")


@check("loss")
def its_probabilities_are_probabilities(loss: type[Loss]) -> None:
    """Its probabilities are between 0 and 1, rank like its logits, and agree with its log-probabilities."""
    outputs, _ = moderate()
    for made in settings(loss):
        logits = made.logits(outputs)
        found, logarithms = made.probabilities(logits), made.log_probabilities(logits)
        expect((found >= 0).all() and (found <= 1).all(), f"{made}: probabilities from {found.min():.3g} to {found.max():.3g}")
        expect(
            torch.equal(found.argmax(1), outputs.argmax(1)),
            f"{made}: its most probable class is not the one with the largest output",
        )
        expect(
            torch.allclose(found.log(), logarithms, atol=1e-4),
            f"{made}: log_probabilities are not the logarithms of probabilities",
        )


@check("loss")
def it_knows_weights_of_one(loss: type[Loss]) -> None:
    """With weights of 1, the weighted loss equals the plain one."""
    outputs, labels = moderate()
    for made in settings(loss):
        plain, weighted = made.bind(_COUNTS)(outputs, labels), made.bind_weighted(_COUNTS)(outputs, labels, torch.ones(10))
        expect(torch.allclose(plain, weighted), f"{made}: with weights of 1, bind_weighted gives a different loss than bind")


@check("loss")
def it_knows_every_label(loss: type[Loss]) -> None:
    """Its losses for all labels at once (for label smoothing) equal its losses for each label, and so do their gradients."""
    weights = torch.linspace(0.5, 2.0, 10, dtype=torch.float64)
    for made in settings(loss):
        for factor in (1, 30):  # moderate outputs, and outputs whose softmax rounds to 0 and 1
            outputs = (factor * moderate()[0].double()).requires_grad_()
            every, weighted = made.bind_every(_COUNTS)(outputs, weights), made.bind_weighted(_COUNTS)
            each = torch.stack([weighted(outputs, torch.full((10,), label), weights) for label in range(5)], dim=1)
            near = partial(torch.allclose, rtol=1e-4, atol=1e-5 * factor)
            expect(near(every, each), f"{made}: bind_every gives different losses than bind_weighted")
            slopes = [torch.autograd.grad(given.sum(), outputs)[0] for given in (every, each)]
            expect(near(*slopes), f"{made}: bind_every has a different gradient than bind_weighted")
