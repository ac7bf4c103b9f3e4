"""What must hold for every way of drawing the images of an epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from lt_core.sampling import Sampling
from lt_core.testing.check import check, expect

_SIZES = (
    torch.tensor([40, 12, 5, 1]),
    torch.tensor([7, 7]),
)
_EPOCHS = 400


def epochs(sampling: type[Sampling], sizes: Tensor, count: int, seed: int = 0) -> list[Tensor]:
    """The orders of ``count`` epochs, from the first to the last, for classes of these ``sizes``."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(sizes)).repeat_interleave(sizes)
    progress = [i / max(1, count - 1) for i in range(count)]
    return [sampling().epoch(labels, sizes.double(), generator, p) for p in progress]


@check("sampling")
def it_gives_positions_of_images(sampling: type[Sampling]) -> None:
    """An epoch is a vector of positions in the training subset, int64 and not empty."""
    for sizes in _SIZES:
        for order in epochs(sampling, sizes, 3):
            expect(order.dtype == torch.int64 and order.dim() == 1, f"an epoch is {order.dtype} of shape {list(order.shape)}")
            expect(len(order), "an epoch is empty")
            inside = int(order.min()) >= 0 and int(order.max()) < int(sizes.sum())
            expect(inside, f"from {int(sizes.sum())} images it draws positions {int(order.min())} to {int(order.max())}")


@check("sampling")
def it_draws_from_its_generator_alone(sampling: type[Sampling]) -> None:
    """The same generator gives the same epochs, whatever else draws random numbers; another gives different ones."""
    torch.manual_seed(1)
    first = epochs(sampling, _SIZES[0], 3)
    torch.manual_seed(2)
    again, other = epochs(sampling, _SIZES[0], 3), epochs(sampling, _SIZES[0], 3, seed=1)
    expect(all(map(torch.equal, first, again)), "the same generator gives different epochs")
    expect(not all(map(torch.equal, first, other)), "another generator gives the same epochs")


@check("sampling")
def it_draws_anew_each_epoch(sampling: type[Sampling]) -> None:
    """No two epochs have the same order."""
    orders = epochs(sampling, _SIZES[0], 3)
    expect(len({tuple(order.tolist()) for order in orders}) == 3, "two of three epochs have the same order")


@check("sampling")
def it_forgets_no_image(sampling: type[Sampling]) -> None:
    """Every image is drawn sooner or later."""
    for sizes in _SIZES:
        drawn = torch.cat(epochs(sampling, sizes, _EPOCHS)).unique()
        expect(len(drawn) == int(sizes.sum()), f"in {_EPOCHS} epochs {len(drawn)} of {int(sizes.sum())} images are drawn")
