"""What must hold for everything that makes or changes training images: synthesis and augmentation by class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lt_core.augment import Augment
from lt_core.synthesis import Synthesis
from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings

_SIZES = (20, 9, 5, 2, 1)


def points() -> tuple[np.ndarray, np.ndarray]:
    """Points [37, 12] of five classes with 20 to 1 points, and their labels [37]."""
    labels = np.repeat(np.arange(len(_SIZES)), _SIZES)
    return np.random.default_rng(0).random((len(labels), 12)), labels


@check("synthesis")
def it_keeps_the_images_that_there_are(synthesis: type[Synthesis]) -> None:
    """The original images come first, unchanged; the new ones after them are finite and of the same classes."""
    given, labels = points()
    for made in settings(synthesis):
        found, theirs = made.fill(given.copy(), labels.copy(), seed=0)
        same = len(found) == len(theirs) >= len(given) and found.shape[1:] == given.shape[1:]
        expect(same, f"{made}: {len(given)} points become shape {list(found.shape)}, with labels of shape {list(theirs.shape)}")
        kept = np.array_equal(found[: len(given)], given) and np.array_equal(theirs[: len(labels)], labels)
        expect(kept, f"{made}: the original points do not come first, unchanged")
        expect(np.isfinite(found).all(), f"{made}: its points are not finite")
        expect(set(theirs) == set(labels), f"{made}: the classes are {sorted(set(theirs))}, but were {sorted(set(labels))}")


@check("synthesis")
def it_draws_from_its_seed_alone(synthesis: type[Synthesis]) -> None:
    """The same seed gives the same images, whatever else draws random numbers."""
    state = np.random.get_state()
    try:
        for made in settings(synthesis):
            found = []
            for seed in (1, 2):
                np.random.seed(seed)
                torch.manual_seed(seed)
                found.append(made.fill(*points(), seed=0)[0])
            first, again = found
            expect(np.array_equal(first, again), f"{made}: the same seed gives different images")
    finally:
        np.random.set_state(state)


def changed(augment: Augment, shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Normalised images [12, …] of three classes, which have 100 to 4 images in training, before and after the change."""
    images = torch.randn(12, *shape, generator=torch.Generator().manual_seed(0))
    change = augment.bind(torch.tensor([100.0, 20.0, 4.0], dtype=torch.float64))
    if change is None:
        return images, images
    return images, change(images.clone(), torch.arange(12) % 3, torch.Generator().manual_seed(seed))


@check("augment")
def it_makes_images_of_images(augment: type[Augment]) -> None:
    """It turns images, grey or coloured, into finite images of the same size and type."""
    for made in settings(augment):
        for shape in ((1, 8, 8), (3, 32, 32)):
            before, after = changed(made, shape)
            same = after.shape == before.shape and after.dtype == before.dtype
            expect(same, f"{made}: images {list(before.shape)} become {list(after.shape)}, {after.dtype}")
            expect(after.isfinite().all(), f"{made}: its images are not finite")


@check("augment")
def it_draws_from_the_generator_that_it_is_given(augment: type[Augment]) -> None:
    """The same generator gives the same images, whatever else draws random numbers."""
    for made in settings(augment):
        torch.manual_seed(1)
        first = changed(made, (1, 8, 8))[1]
        torch.manual_seed(2)
        expect(torch.equal(first, changed(made, (1, 8, 8))[1]), f"{made}: the same generator gives different images")
