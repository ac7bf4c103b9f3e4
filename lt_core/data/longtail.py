"""How many images of each class a long-tailed training subset and its validation split have.

Only a class with too few images left over gives training images to validation. If a class cannot give enough, an error is raised:
a split is never smaller than requested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lt_core.data.sets import DATASETS
from lt_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from lt_core.data.spec import DataSpec


def profile(spec: DataSpec, classes: int) -> list[float] | None:
    """Size of the class of each rank relative to the largest, before rounding to whole images; None if there is no formula.

    ``exp``: IF^(−i/(C−1)); ``step``: 1 for the first half, 1/IF for the second (Cao et al. 2019).
    """
    # The same float64 expression as in public code, whose factor is in (0, 1]: rounding can change a class's size by one image.
    rate = 1.0 / spec.imbalance_factor
    if spec.imbalance_type == "exp":
        return [rate ** (i / max(1, classes - 1)) for i in range(classes)]
    if spec.imbalance_type == "step":
        return [1.0 if i < classes // 2 else rate for i in range(classes)]
    return None


def class_sizes(spec: DataSpec, available: Sequence[int]) -> list[int]:
    """Images of each class in the subset, in label order, before validation takes its share.

    ``exp`` and ``step``: int(n_max · p_i) with p of `profile`; ``majority``: class 0 keeps 90 % of its images, the others
    10 %; ``natural``: all; ``counts``: as listed. i is the rank of the class: its label, or its place in an order shuffled by
    ``class_order_seed``.

    Args:
        available: training images that each class has.

    Raises:
        UserError: a class would be left without images, or would need more than it has.
    """
    classes = len(available)
    n_max, shares = spec.n_max or min(available), profile(spec, classes)
    if shares is not None:
        ranked = [int(n_max * share) for share in shares]
    elif spec.imbalance_type == "counts":
        ranked = list(spec.counts)
        if len(ranked) != classes:
            raise UserError(
                f"counts has {len(ranked)} numbers, but {spec.dataset} has {classes} classes: give one number per class"
            )
    else:
        ranked = []
    order = class_order(spec, classes)
    sizes = [0] * classes
    for rank, label in enumerate(order):
        if spec.imbalance_type == "natural":
            sizes[label] = available[label]
        elif spec.imbalance_type == "majority":
            sizes[label] = available[label] * (9 if rank == 0 else 1) // 10
        else:
            sizes[label] = ranked[rank]
    largest = n_max if int(n_max * (1.0 / n_max)) else n_max - 1  # 49 · (1/49) is 0.999… in float64
    for label, (size, pool) in enumerate(zip(sizes, available, strict=True)):
        if size < 1:
            hint = f": the largest factor that leaves one image is {largest}" if spec.imbalance_type in ("exp", "step") else ""
            raise UserError(f"{spec.dataset}: {_profile(spec)} leaves class {label} without images{hint}")
        if size > pool:
            raise UserError(
                f"{spec.dataset}: {_profile(spec)} needs {size} images of class {label}, which has only {pool}: lower n_max "
                f"to {min(available)} or less"
            )
    return sizes


def ideal_sizes(spec: DataSpec, counts: Tensor) -> Tensor:
    """Class sizes by `profile`, up to a factor and in label order: [C]; ``counts`` if there is no formula."""
    shares = profile(spec, len(counts))
    if shares is None:
        return counts
    sizes = counts.clone()
    sizes[class_order(spec, len(counts))] = counts.new_tensor(shares)
    return sizes


def _profile(spec: DataSpec) -> str:
    if spec.imbalance_type in ("exp", "step"):
        return f"imbalance_factor {spec.imbalance_factor:g} ({spec.imbalance_type}, n_max {spec.n_max})"
    return f"imbalance_type {spec.imbalance_type}"


def class_order(spec: DataSpec, classes: int) -> list[int]:
    """Labels from head to tail: in their own order, or shuffled by ``class_order_seed``."""
    if spec.class_order_seed is None:
        return list(range(classes))
    return [int(c) for c in np.random.RandomState(spec.class_order_seed).permutation(classes)]


def subset_sizes(spec: DataSpec, available: Sequence[int]) -> list[int]:
    """Images of each class in the training subset, in label order, after the validation split took its share.

    The split is balanced: each class gives ``held_out`` images. It first gives images that are not in the subset; a class with
    too few of them also gives training images, but keeps at least half.

    Raises:
        UserError: some class cannot give that many; the message names the largest possible number.
    """
    sizes, held_out = class_sizes(spec, available), spec.held_out
    spare = [pool - size + size // 2 for pool, size in zip(available, sizes, strict=True)]
    poorest = min(range(len(spare)), key=spare.__getitem__)
    largest = spare[poorest]
    if held_out > largest:
        words = f"{spec.dataset}: validation {held_out} needs more images than class {poorest} can spare"
        subset = f"it has {available[poorest]}, of which the subset uses {sizes[poorest]} and must keep at least half"
        remedy = f"set validation to {largest} or less" if largest else "set validation to 0, or lower the imbalance factor"
        raise UserError(f"{words}: {subset}; {remedy}")
    return [min(size, pool - held_out) for size, pool in zip(sizes, available, strict=True)]


def training_sizes(spec: DataSpec) -> list[int]:
    """`subset_sizes` for the class sizes with which the set is registered; no image is read."""
    return subset_sizes(spec, DATASETS[spec.dataset].train_counts)
