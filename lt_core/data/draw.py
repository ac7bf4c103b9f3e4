"""Which images of a set a trial uses, and for what: positions and counts, from labels alone. No image is read.

``subset_seed`` puts each class's images into an order, once. The labelled training images come first in this order and the
unlabelled ones next; validation takes the last ones, and the extra images of meta methods come before those. The subsets of
different imbalance factors and label fractions are therefore nested (Cui et al. 2019), and every factor and method is validated
on the same images and sees the same extra ones.
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
    """The positions of a trial's images in a set's training set, int64, class by class, for each role. If the set has its own
    validation split, those of ``validation`` are positions in that split.

    Training, unlabelled and validation images never overlap. ``extra`` images do not overlap with validation either; if a class
    has too few images left, some are also training or unlabelled images, and if it has too few in total, it gives all of them.
    """

    train: np.ndarray
    unlabelled: np.ndarray
    validation: np.ndarray
    extra: np.ndarray
    counts: tuple[int, ...]  # training images of each class
    fingerprint: str  # of the training images' positions and labels


def draw(spec: DataSpec, labels: np.ndarray, extra: int = 0, own: np.ndarray | None = None) -> Draw:
    """The images of ``spec`` among those with these ``labels`` (int64 [N], in which every class occurs).

    Args:
        extra: images per class that are, if possible, neither trained on nor held out.
        own: labels of the set's own validation split, if validation images come from it (int64).

    Raises:
        UserError: some class has fewer images than ``spec`` asks for.
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
    """The first ``spec.validation`` images of each class, in the order that the seed gives them."""
    orders = _orders(labels, np.bincount(labels), spec.subset_seed)
    return _cut(orders, [0] * len(orders), [spec.validation] * len(orders))


def _orders(labels: np.ndarray, available: np.ndarray, seed: int) -> list[np.ndarray]:
    """Positions of each class's images in the order that ``seed`` gives them.

    RandomState is used because its stream is frozen for ever, while that of a Generator may change with numpy.
    """
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(available)[:-1])
    return [mine[np.random.RandomState([seed, label]).permutation(len(mine))] for label, mine in enumerate(by_class)]


def _cut(orders: Iterable[np.ndarray], starts: Iterable[int], stops: Iterable[int]) -> np.ndarray:
    """The images of each class's order from its start (included) to its stop (excluded)."""
    return np.concatenate([order[start:stop] for order, start, stop in zip(orders, starts, stops, strict=True)])
