"""What a set of pictures contains: figures about its classes, and anything unusual about its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lt_core.data.pictures.making import gigabytes
from lt_core.data.pictures.manifest import Manifest
from lt_core.data.registered import Definition
from lt_core.metrics.catalogue import FEW, MANY


@dataclass(frozen=True)
class Facts:
    """Facts about a set of pictures; about its training set, unless a line says otherwise.

    Args:
        imbalance: images of the largest class divided by those of the smallest.
        gini: Gini's coefficient of the class sizes; 0 if all are equal.
        shots: number of classes with more than 100 images, with 20 to 100, and with fewer.
        sides: (shorter, longer side) in pixels: the smallest, the median and the largest among all readable pictures.
        small: readable pictures whose shorter side is below the size to which they are scaled.
        notes: unusual kinds of files, such as ``CMYK`` → number of files of this kind.
        unreadable: (picture, reason) of each file that is left out.
        copies: pictures that are identical to an earlier one of the same split.
        relabelled: those of the copies whose earlier picture has another label.
        shared: test pictures that are training pictures too.
        disk: size in pixels → gigabytes that all pictures take when decoded at this size.
    """

    imbalance: float
    gini: float
    shots: tuple[int, int, int]
    sides: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    small: int
    notes: dict[str, int]
    unreadable: tuple[tuple[str, str], ...]
    copies: tuple[str, ...]
    relabelled: tuple[str, ...]
    shared: tuple[str, ...]
    disk: dict[int, float]


def gini(sizes: Sequence[int]) -> float:
    """Gini's coefficient of class sizes: Σ(2i − C − 1)·n_i / (C·Σn) with n ascending and i from 1.

    >>> gini([5, 5, 5]), round(gini([1, 2, 3, 4]), 6)
    (0.0, 0.25)
    """
    ascending = np.sort(np.asarray(sizes, dtype=np.float64))
    count = len(ascending)
    return float(((2 * np.arange(1, count + 1) - count - 1) * ascending).sum() / (count * ascending.sum()))


def shots(sizes: Sequence[int]) -> tuple[int, int, int]:
    """How many classes have more than 100 images, 20 to 100 images, and fewer than 20 images.

    >>> shots([500, 100, 20, 19])
    (1, 2, 1)
    """
    counts = np.asarray(sizes)
    return int((counts > MANY).sum()), int(((counts >= FEW) & (counts <= MANY)).sum()), int((counts < FEW).sum())


def facts(definition: Definition, manifest: Manifest) -> Facts:
    """The facts about a set, from its definition and its manifest; no picture is read."""
    counts, readable = np.array(definition.train_counts), manifest.readable
    train, test = manifest["part"] == "train", manifest["part"] == "test"
    shorter = np.minimum(manifest["width"], manifest["height"])[readable]
    longer = np.maximum(manifest["width"], manifest["height"])[readable]
    notes, times = np.unique(manifest["note"][readable & (manifest["note"] != "")], return_counts=True)
    copies, relabelled = _copies(manifest, readable)
    both = np.intersect1d(manifest["sha256"][readable & test], manifest["sha256"][readable & train])
    shared = np.flatnonzero(readable & test & np.isin(manifest["sha256"], both)).tolist()
    return Facts(
        imbalance=float(counts.max() / counts.min()),
        gini=gini(definition.train_counts),
        shots=shots(definition.train_counts),
        sides=tuple((int(np.percentile(shorter, q)), int(np.percentile(longer, q))) for q in (0, 50, 100)),  # type: ignore[arg-type]
        small=int((shorter < definition.size).sum()),
        notes=dict(zip(notes.tolist(), times.tolist(), strict=True)),
        unreadable=tuple((manifest.shown(row), str(manifest["problem"][row])) for row in np.flatnonzero(~readable).tolist()),
        copies=tuple(map(manifest.shown, copies)),
        relabelled=tuple(map(manifest.shown, relabelled)),
        shared=tuple(map(manifest.shown, shared)),
        disk={size: gigabytes(len(manifest), size) for size in sorted({64, 112, 224, definition.size})},
    )


def _copies(manifest: Manifest, readable: np.ndarray) -> tuple[list[int], list[int]]:
    """Rows of readable pictures that equal an earlier one of their split, and those among them with another label."""
    first: dict[tuple[str, str], int] = {}
    copies, relabelled = [], []
    for row in np.flatnonzero(readable).tolist():
        other = first.setdefault((manifest["part"][row], manifest["sha256"][row]), row)
        if other != row:
            copies.append(row)
            if manifest["label"][other] != manifest["label"][row]:
                relabelled.append(row)
    return copies, relabelled
