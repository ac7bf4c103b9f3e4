"""Which images of a set a trial uses, and for what: positions and counts, from labels alone. No image is read.

``subset_seed`` puts each class's images into an order, once. The labelled training images come first in it and the unlabelled
ones next; validation takes the last ones, and the extra images of meta methods come before those. The subsets of different
imbalance factors and label fractions are therefore nested (Cui et al. 2019), and every factor and method is validated on the
same images and sees the same extra ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lt_core.data.order import fingerprint
from lt_core.data.unlabelled import semi_sizes

if TYPE_CHECKING:
    from lt_core.data.spec import DataSpec


@dataclass(frozen=True)
class Draw:
    """Positions of a trial's images in the labels of a set's training set, int64 and class by class, by their role; those of
    ``validation`` refer to the labels of the set's own validation split, if it has one.

    Training, unlabelled and validation images never overlap. ``extra`` images do not overlap with validation either; a class
    with too few images left lends training or unlabelled images, and a class with too few in total gives all that it has.
    """

    train: np.ndarray
    unlabelled: np.ndarray
    validation: np.ndarray
    extra: np.ndarray
    counts: tuple[int, ...]  # training images of each class
    fingerprint: str  # of the training images' positions and labels


def draw(spec: DataSpec, labels: np.ndarray, extra: int = 0, own: np.ndarray | None = None) -> Draw:
    """The images of ``spec`` among those with these labels (int64, shape [N]; each class occurs).

    Args:
        extra: images per class that are, if possible, neither trained on nor held out.
        own: labels of the set's own validation split, if validation images come from it (int64).

    Raises:
        UserError: the classes have too few images for what ``spec`` asks.
    """
    available = np.bincount(labels)
    labelled, unlabelled = semi_sizes(spec, available.tolist())
    orders = _orders(labels, available, spec.subset_seed)
    ends = available - spec.held_out
    used = np.add(labelled, unlabelled)
    train = _cut(orders, [0] * len(orders), labelled)
    chosen = np.sort(train)
    return Draw(
        train=train,
        unlabelled=_cut(orders, labelled, used),
        validation=_cut(orders, ends, available) if own is None else _first(own, spec),
        extra=_cut(orders, np.maximum(0, ends - extra), ends),
        counts=tuple(labelled),
        fingerprint=fingerprint(chosen, labels[chosen]),
    )


def _first(labels: np.ndarray, spec: DataSpec) -> np.ndarray:
    """As many images of each class as are asked for, in the order in which the seed hands them out."""
    orders = _orders(labels, np.bincount(labels), spec.subset_seed)
    return _cut(orders, [0] * len(orders), [spec.validation] * len(orders))


def _orders(labels: np.ndarray, available: np.ndarray, seed: int) -> list[np.ndarray]:
    """Positions of each class's images in the order in which ``seed`` hands them out.

    RandomState is used because its stream is frozen for ever; a Generator's may change with numpy.
    """
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(available)[:-1])
    return [mine[np.random.RandomState([seed, label]).permutation(len(mine))] for label, mine in enumerate(by_class)]


def _cut(orders: Iterable[np.ndarray], starts: Iterable[int], stops: Iterable[int]) -> np.ndarray:
    """From each class's order the images from its start to before its stop."""
    return np.concatenate([order[start:stop] for order, start, stop in zip(orders, starts, stops, strict=True)])
