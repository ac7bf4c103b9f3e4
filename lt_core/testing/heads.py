"""What must hold for every head."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lt_core.models.heads import Head
from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings

_WIDTH, _CLASSES = 16, 7


def classifiers(head: type[Head], seed: int = 0) -> Iterator[tuple[Head, nn.Module]]:
    """The head at each setting, and the classifier that it builds from ``seed``."""
    for made in settings(head):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            classifier = made.build(_WIDTH, _CLASSES)
        expect(isinstance(classifier, nn.Module), f"{made}: build gives a {type(classifier).__name__}, not a torch.nn.Module")
        yield made, classifier


def some_features() -> Tensor:
    return torch.rand(4, _WIDTH, generator=torch.Generator().manual_seed(0))


@check("head")
def it_gives_one_output_a_class(head: type[Head]) -> None:
    """Its classifier gives one finite output per class, in training and in evaluation, and a gradient to the features."""
    labels = torch.tensor([0, 3, 3, 6])
    for made, classifier in classifiers(head):
        for training in (True, False):
            classifier.train(training)
            features = some_features().requires_grad_()
            outputs = (
                classifier(features, labels) if training and getattr(classifier, "takes_labels", False) else classifier(features)
            )
            expect(outputs.shape == (4, _CLASSES), f"{made}: outputs of four images have shape {list(outputs.shape)}")
            expect(outputs.isfinite().all(), f"{made}: its outputs are not finite")
            (gradient,) = torch.autograd.grad(outputs.square().sum(), features)
            expect(gradient.isfinite().all() and gradient.any(), f"{made}: no finite gradient reaches the features")


@check("head")
def it_looks_at_each_image_alone(head: type[Head]) -> None:
    """In evaluation, the outputs of an image depend on no other image."""
    for made, classifier in classifiers(head):
        classifier.eval()
        together, alone = classifier(some_features())[:1], classifier(some_features()[:1])
        expect(torch.allclose(together, alone, atol=1e-5), f"{made}: the outputs of an image change when others are in the batch")


@check("head")
def it_begins_from_torchs_generator(head: type[Head]) -> None:
    """Its weights come only from torch's global generator, which a trial seeds."""
    for trio in zip(*(classifiers(head, seed) for seed in (0, 0, 1)), strict=True):
        first, again, other = (classifier.eval()(some_features()) for _, classifier in trio)
        expect(torch.equal(first, again), f"{trio[0][0]}: the same seed gives different weights")
        expect(not torch.equal(first, other), f"{trio[0][0]}: another seed gives the same weights")
