"""What must hold for all class weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings
from lt_core.testing.losses import moderate
from lt_core.weights import Weights

SIZES = ([5000, 200, 60, 20, 1], [7, 7], [1])


@check("weights")
def it_weighs_each_class(weights: type[Weights]) -> None:
    """It gives one finite positive weight per class, and the weights sum to the number of classes."""
    for made in settings(weights):
        for sizes in SIZES:
            found, classes = made.bind(torch.tensor(sizes, dtype=torch.float64)), len(sizes)
            expect(
                found.shape == (classes,), f"{made}: class sizes of shape [{classes}] give weights of shape {list(found.shape)}"
            )
            expect(
                found.isfinite().all() and (found > 0).all(), f"{made}: classes of {sizes} images have weights {found.tolist()}"
            )
            total = found.sum().item()
            expect(abs(total - classes) < 1e-4 * classes, f"{made}: the weights of {classes} classes sum to {total:.4g}")


@check("weights")
def it_weighs_each_image(weights: type[Weights]) -> None:
    """It gives one finite, non-negative weight per image."""
    outputs, labels = moderate()
    features = torch.rand(10, 8, generator=torch.Generator().manual_seed(1))
    for made in settings(weights):
        found = made.of_images(made.bind(torch.tensor(SIZES[0], dtype=torch.float64)).float(), outputs, features, labels)
        expect(found.shape == (10,), f"{made}: ten images get weights of shape {list(found.shape)}, not [10]")
        expect(found.isfinite().all() and (found >= 0).all(), f"{made}: images have weights {found.tolist()}")


@check("weights")
def its_averages_are_those_of_torch(weights: type[Weights]) -> None:
    """mean=images divides by the images of a batch, mean=weights by their weights, as F.cross_entropy(weight=…) does."""
    outputs, labels = moderate()
    losses = F.cross_entropy(outputs, labels, reduction="none")
    by_images, by_weights = weights(mean="images"), weights(mean="weights")
    bound = by_images.bind(torch.tensor(SIZES[0], dtype=torch.float64)).float()
    expected = F.cross_entropy(outputs, labels, weight=bound, reduction="none").mean()
    found = by_images.average(losses, bound[labels])
    expect(torch.allclose(found, expected), f"mean=images: the mean of a batch is {found:.6g}, not {expected:.6g}")
    expected, found = F.cross_entropy(outputs, labels, weight=bound), by_weights.average(losses, bound[labels])
    expect(torch.allclose(found, expected), f"mean=weights: the mean of a batch is {found:.6g}, not {expected:.6g}")
