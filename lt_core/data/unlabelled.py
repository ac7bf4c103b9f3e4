"""How many images of each class are labelled and unlabelled in semi-supervised trials.

There are two protocols. By fraction (CReST: Wei et al. 2021, section 4.1), the first ⌈β·n_c⌉ of the n_c images of class c in the
long-tailed subset keep their labels. By ratio (Bi-Sampling, DARP and others), the whole subset is labelled, and a separate
unlabelled set, whose largest class is λ times as large, is drawn from the remaining images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lt_core.data.longtail import class_order, class_sizes, subset_sizes
from lt_core.errors import UserError

if TYPE_CHECKING:
    from lt_core.data.spec import DataSpec


def semi_sizes(spec: DataSpec, available: Sequence[int]) -> tuple[list[int], list[int]]:
    """Numbers of labelled and unlabelled images of each class, in label order; a supervised trial has no unlabelled ones.

    Args:
        available: training images that each class has.

    Raises:
        UserError: a class has too few images for its labelled and unlabelled shares, or no image is left unlabelled.
    """
    sizes, held_out = subset_sizes(spec, available), spec.held_out
    if spec.label_fraction < 1:
        # Rounded first because ⌈0.1 · 30⌉ should be 3, but in float64 0.1 · 30 is 3.0000000000000004.
        labelled = [math.ceil(round(spec.label_fraction * n, 9)) for n in sizes]
        if labelled == sizes:
            raise UserError(
                f"{spec.dataset}: with label_fraction {spec.label_fraction:g} every image keeps its label, because the number "
                "of labelled images per class is rounded up: lower label_fraction or raise n_max"
            )
        return labelled, [n - k for n, k in zip(sizes, labelled, strict=True)]
    if not spec.unlabelled_ratio:
        return sizes, [0] * len(sizes)
    unlabelled = _profile(spec, available)
    for label, (n, u, pool) in enumerate(zip(sizes, unlabelled, available, strict=True)):
        if n + u + held_out > pool:
            raise UserError(
                f"{spec.dataset}: class {label} has {pool} images, fewer than {n} labelled, {u} unlabelled and {held_out} for "
                "validation: lower n_max, unlabelled_ratio or validation"
            )
    return sizes, unlabelled


def _profile(spec: DataSpec, available: Sequence[int]) -> list[int]:
    """Class sizes of a separate unlabelled set."""
    factor = spec.imbalance_factor if spec.unlabelled_imbalance is None else spec.unlabelled_imbalance
    n_max = round(spec.unlabelled_ratio * spec.n_max)
    try:
        sizes = class_sizes(replace(spec.without_unlabelled(), imbalance_factor=factor, n_max=n_max), available)
    except UserError as error:
        raise UserError(f"unlabelled set: {error}") from None
    if spec.unlabelled_order == "reversed":
        order = class_order(spec, len(sizes))
        sizes_by_rank = [sizes[label] for label in order]
        for label, size in zip(order, reversed(sizes_by_rank), strict=True):
            sizes[label] = size
    return sizes
