"""Which pictures are training images and which are test images, in canonical order, and the fingerprint of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lt_core.data.pictures.decode import VERSION
from lt_core.data.pictures.layouts import in_order
from lt_core.data.pictures.manifest import Manifest
from lt_core.errors import UserError, unknown

_TEST_SHARE = 5  # if the test set is drawn, one in so many pictures of the smallest class is a test image


@dataclass(frozen=True)
class Part:
    """``rows``: row numbers in the manifest, int64 [N], by class and by the SHA-256 of the file; ``labels`` int64 [N]."""

    rows: np.ndarray
    labels: np.ndarray


def parts_of(manifest: Manifest, name: str, test_each: int = 0, seed: int = 0) -> tuple[Part, Part]:
    """The training set and the test set of the pictures that can be read.

    If the manifest has no test set, ``test_each`` pictures of each class are drawn by ``seed`` from those whose content occurs
    only once; 0: a fifth of the smallest class, at least one.

    Raises:
        UserError: a class has no picture in one of the sets, or too few to draw from, or a test picture has a class that the
            training set lacks.
    """
    classes, labels = _labels(manifest, name)
    readable = manifest.readable
    training, given = manifest["part"] == "train", manifest["part"] == "test"
    for which, chosen in (("training", training), *([("test", given)] if given.any() else [])):
        counts = np.bincount(labels[chosen & readable], minlength=len(classes))
        if not counts.all():
            label = int(np.argmin(counts))
            why = " because none of its files can be read" if (labels[chosen] == label).any() else ""
            raise UserError(
                f"{name}: class {classes[label]} has no picture in the {which} set{why}: add one, or leave out the class"
            )
    test = given if given.any() else _drawn(manifest, labels, classes, name, test_each, seed)
    train, tested = (_part(manifest, labels, readable & chosen) for chosen in (training & ~test, test))
    return train, tested


def validation_of(manifest: Manifest, name: str) -> Part | None:
    """The validation split of the pictures that can be read; None if the manifest has none.

    Raises:
        UserError: a picture has a class that is not in the training set.
    """
    chosen = manifest.readable & (manifest["part"] == "validation")
    return _part(manifest, _labels(manifest, name)[1], chosen) if chosen.any() else None


def _labels(manifest: Manifest, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The classes, and the class of each file: int64 [files]."""
    classes = in_order(manifest["label"][manifest["part"] == "train"].tolist())
    number = {label: i for i, label in enumerate(classes)}
    different, where = np.unique(manifest["label"], return_inverse=True)
    for label in different:
        if label not in number:
            raise unknown("class", str(label), classes, f"{name}, test set")
    return classes, np.array([number[label] for label in different], dtype=np.int64)[where]


def _drawn(manifest: Manifest, labels: np.ndarray, names: Sequence[str], name: str, each: int, seed: int) -> np.ndarray:
    """Whether each file is drawn for the test set: bool [files], equally many of each class."""
    classes = len(names)
    _, inverse, copies = np.unique(manifest["sha256"], return_inverse=True, return_counts=True)
    able = _part(manifest, labels, manifest.readable & (copies[inverse] == 1))
    counts = np.bincount(labels[manifest.readable], minlength=classes)
    each = each or max(1, int(counts.min()) // _TEST_SHARE)
    ends = np.cumsum(np.bincount(able.labels, minlength=classes))
    chosen = np.zeros(len(manifest), dtype=bool)
    for label, mine in enumerate(np.split(able.rows, ends[:-1])):
        if len(mine) < each or counts[label] <= each:
            raise UserError(
                f"{name}: class {names[label]} has {len(mine)} distinct pictures, too few for {each} test images and at least "
                "one training image: lower --test-each, or give a test set with --test"
            )
        # RandomState is used as for subsets, because its stream is frozen for ever.
        chosen[mine[np.random.RandomState([seed, label]).permutation(len(mine))[:each]]] = True
    return chosen


def _part(manifest: Manifest, labels: np.ndarray, chosen: np.ndarray) -> Part:
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((manifest["sha256"][rows], labels[rows]))]
    return Part(rows, labels[rows])


def fingerprint_of(manifest: Manifest, train: Part, test: Part, size: int) -> str:
    """A hash of both sets' labels, of the content of each file, and of how it is decoded: sixteen hexadecimal digits."""
    digest = hashlib.sha256(f"pictures {VERSION} {size}".encode())
    for part in (train, test):
        digest.update(f"\n{len(part.rows)}\n".encode())
        digest.update(part.labels.astype("<i8").tobytes())
        digest.update("".join(manifest["sha256"][part.rows].tolist()).encode())
    return digest.hexdigest()[:16]
