"""What must hold for every model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from lt_core.errors import UserError
from lt_core.models import Net, build_model, seen_shape
from lt_core.models.heads import LinearHead
from lt_core.models.registry import ModelInfo
from lt_core.testing.check import check, expect
from lt_core.testing.trials import weights_of

SHAPES = ((8, 8, 1), (28, 28, 1), (32, 32, 3))  # of the benchmark's image sets
_CLASSES = 7


def nets(model: ModelInfo, seed: int = 0) -> Iterator[tuple[Net, Tensor]]:
    """The network for each shape of images that it accepts, and two images."""
    taken = False
    for shape in dict.fromkeys(seen_shape(model.name, shape) for shape in SHAPES):
        height, width, channels = shape
        images = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(0))
        try:
            net = build_model(model.name, shape, _CLASSES, LinearHead(), seed)
        except UserError:  # it does not accept images of this shape
            continue
        taken = True
        yield net, images
    expect(taken, f"it accepts images of none of the shapes {', '.join(map(str, SHAPES))}")


@check("model")
def it_says_what_it_is(model: ModelInfo) -> None:
    """It describes itself in one line."""
    expect(model.about, f"model {model.name} has no description: ModelInfo(name, about, build)")


@check("model")
def it_gives_one_output_a_class(model: ModelInfo) -> None:
    """It gives one finite output per class, and features of the width that it declares."""
    for net, images in nets(model):
        net.eval()
        features, outputs = net.backbone(images), net(images)
        expect(features.shape == (2, net.width), f"features have shape {list(features.shape)}, but its width is {net.width}")
        expect(outputs.shape == (2, _CLASSES), f"outputs of two images have shape {list(outputs.shape)}, not [2, {_CLASSES}]")
        expect(outputs.isfinite().all(), "its outputs are not finite")


@check("model")
def it_judges_each_image_alone(model: ModelInfo) -> None:
    """In evaluation, the outputs of an image depend on no other image."""
    for net, images in islice(nets(model), 1):
        net.eval()
        together, alone = net(images)[:1], net(images[:1])
        apart = (together - alone).abs().max() / together.abs().max()
        expect(apart < 1e-4, f"the outputs of an image change by {apart:.1e} of their size when another is in the batch")


@check("model")
def it_begins_from_its_seed_alone(model: ModelInfo) -> None:
    """The same seed gives the same weights, whatever else draws random numbers; another seed gives different ones."""
    found: list[Tensor] = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))
        found.append(weights_of(next(nets(model, seed))[0]))
    first, again, other = found
    expect(torch.equal(first, again), "the same seed gives different weights")
    expect(not torch.equal(first, other), "another seed gives the same weights")


@check("model")
def all_its_weights_are_trained(model: ModelInfo) -> None:
    """The gradient of its outputs reaches every weight."""
    for net, images in islice(nets(model), 1):
        net.train()
        net(images).square().sum().backward()
        idle = [name for name, p in net.named_parameters() if p.grad is None]
        expect(not idle, f"no gradient reaches {', '.join(idle[:3])}")
