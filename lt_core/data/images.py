"""Decoded image sets: uint8 arrays in a canonical order, cached on disk, with a fingerprint of their content."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lt_core.data.mapped import let_go
from lt_core.data.order import canonical, fingerprint
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError


class Pixels(Protocol):
    """Images uint8 [N, H, W, channels]: an array, or something that is indexed like one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Any, /) -> Any: ...


@dataclass(frozen=True)
class Rows:
    """Some rows of a memory-mapped file, in a given order; images are read when they are indexed.

    >>> rows = Rows(np.arange(5)[:, None, None, None], np.array([4, 0, 2]))
    >>> rows.shape, rows[1:].ravel().tolist()
    ((3, 1, 1, 1), [0, 2])
    """

    pixels: np.ndarray  # uint8 [files, H, W, channels]
    rows: np.ndarray  # int64 [N]

    @property
    def shape(self) -> tuple[int, ...]:
        """N, height, width and channels."""
        return len(self.rows), *self.pixels.shape[1:]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: Any) -> np.ndarray:
        """Copies of the images at ``positions``, which index as in numpy: a number, a slice, numbers or a mask."""
        found = np.take(self.pixels, self.rows[positions], axis=0)
        let_go(self.pixels)
        return np.asarray(found)


@dataclass(frozen=True)
class ImageSet:
    """Images uint8 [N, H, W, channels] and labels int64 [N] of the official training and test sets, and of a validation split if
    there is one.

    A trial knows all labels, but reads only the pixels of its own images, as copies.
    """

    name: str
    train_images: Pixels
    train_labels: np.ndarray
    test_images: Pixels
    test_labels: np.ndarray
    fingerprint: str  # of the content of both, sixteen digits; the same wherever the set came from
    validation_images: Pixels | None = None
    validation_labels: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels

    def train_pixels(self, positions: np.ndarray) -> np.ndarray:
        """The training images at ``positions`` [n]: uint8 [n, H, W, channels]."""
        return np.asarray(self.train_images[positions])

    def validation_pixels(self, positions: np.ndarray) -> np.ndarray:
        """The images at ``positions`` [n] of the set's own validation split: uint8 [n, H, W, channels]."""
        assert self.validation_images is not None
        return np.asarray(self.validation_images[positions])

    def test_pixels(self, positions: np.ndarray | None = None) -> np.ndarray:
        """The test images at ``positions`` [n], or all: uint8 [n, H, W, channels]."""
        return np.array(self.test_images[:] if positions is None else self.test_images[positions])


def make_set(name: str, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> ImageSet:
    """An `ImageSet` from raw images and labels, which are checked against the known facts about the set."""
    info = DATASETS[name]
    for part, (images, labels) in (("train", train), ("test", test)):
        if images.shape[1:] != info.image_shape:
            raise UserError(f"{name}: {part} images have shape {images.shape[1:]}, expected {info.image_shape}")
        if len(labels) == 0 or labels.min() < 0 or labels.max() >= info.classes:
            raise UserError(f"{name}: {part} labels must be numbers from 0 to {info.classes - 1}")
        absent = set(range(info.classes)) - set(np.unique(labels).tolist())
        if absent:
            raise UserError(f"{name}: the {part} set has no image of class {min(absent)}")
    (train_images, train_labels), (test_images, test_labels) = canonical(*train), canonical(*test)
    key = fingerprint(train_images, train_labels, test_images, test_labels)
    return ImageSet(name, train_images, train_labels, test_images, test_labels, key)


_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


_checked: set[tuple[object, ...]] = set()  # states of files whose fingerprint this process has checked


def read_cache(folder: Path, name: str) -> ImageSet | None:
    """The cached set, memory-mapped so that all processes of a machine share it; None if it is missing or, with a warning,
    damaged. Each process checks its fingerprint once, which takes 0.15 s for CIFAR-10.
    """
    if not folder.exists():
        return None
    try:
        return _read(folder, name)
    except Exception as error:  # of many types: for a damaged header, older versions of numpy raise errors of Python's tokenizer
        warnings.warn(f"the decoded images in {folder} are damaged ({error}) and are decoded again", stacklevel=2)
        return None


def _read(folder: Path, name: str) -> ImageSet:
    files = {array: folder / f"{array}.npy" for array in _ARRAYS}
    key = json.loads((folder / "meta.json").read_text())["fingerprint"]
    arrays = {array: np.load(file, mmap_mode="r") for array, file in files.items()}
    as_they_are = (key, *((file, file.stat().st_ino, file.stat().st_mtime_ns) for file in files.values()))
    if as_they_are not in _checked:
        if fingerprint(*arrays.values()) != key:
            raise ValueError("the fingerprint does not match")
        for array in arrays.values():
            let_go(array)
        _checked.add(as_they_are)
    return ImageSet(name, fingerprint=key, **arrays)


def _whole(folder: Path, name: str) -> bool:
    try:
        _read(folder, name)
    except Exception:
        return False
    return True


def write_cache(folder: Path, images: ImageSet) -> None:
    """Write under a temporary name, then rename, so that another process sees the whole set or nothing.

    If the disk is full, there is a warning and no cache.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    except OSError as error:
        warnings.warn(f"images are not cached because {folder.parent} cannot be written: {error}", stacklevel=2)
        return
    try:
        for array in _ARRAYS:
            np.save(beside / f"{array}.npy", getattr(images, array))
        (beside / "meta.json").write_text(json.dumps({"name": images.name, "fingerprint": images.fingerprint}))
        if folder.exists() and not _whole(folder, images.name):
            shutil.rmtree(folder)  # it is damaged, and a folder that is not empty cannot be replaced by renaming
        beside.replace(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        if not _whole(folder, images.name):  # otherwise another process was faster, which is just as good
            warnings.warn(f"images are not cached in {folder}: {error}", stacklevel=2)
