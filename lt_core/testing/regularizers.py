"""What must hold for every term on features."""

from __future__ import annotations

import torch
from torch import Tensor

from lt_core.regularizer import Regularizer
from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings


def batches() -> list[tuple[str, Tensor, Tensor]]:
    """Batches that a training may contain: what is special about them, features [B, 8], labels [B]."""
    features = torch.rand(10, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(10) % 3
    return [
        ("ten images of three classes", features, labels),
        ("images of one class", features, torch.zeros_like(labels)),
        ("one image", features[:1], labels[:1]),
        ("equal images", features[:1].repeat(10, 1), labels),
        ("features of zero", torch.zeros_like(features), labels),
    ]


@check("regularizer")
def it_adds_a_scalar_to_descend(regularizer: type[Regularizer]) -> None:
    """Its term is a finite scalar with a finite gradient, even for one image, one class, or equal images."""
    for made in settings(regularizer):
        term = made.bind()
        for words, features, labels in batches() if term else ():
            given = features.clone().requires_grad_()
            value = term(given, labels)  # type: ignore[misc]  # there is one
            expect(value.dim() == 0 and value.isfinite(), f"{made}: for {words} its term is {value}, not a finite scalar")
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value, given)
                expect(gradient.isfinite().all(), f"{made}: for {words} the gradient of its term is not finite")


@check("regularizer")
def it_draws_nothing(regularizer: type[Regularizer]) -> None:
    """The same batch gives the same term, whatever else draws random numbers."""
    _, features, labels = batches()[0]
    for made in settings(regularizer):
        term = made.bind()
        if term:
            torch.manual_seed(1)
            first = term(features, labels)
            torch.manual_seed(2)
            expect(torch.equal(first, term(features, labels)), f"{made}: the same batch gives a different term the second time")
