"""Features of a whole image set: kept under the hash of all that they depend on, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from lt_core.cache import cache_dir
from lt_core.data.images import ImageSet
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.frozen.compute import PARTS, VERSION, Progress, compute
from lt_core.frozen.label import Frozen


@dataclass(frozen=True)
class FeatureSet:
    """An `ImageSet` in which each picture is its features, float32 [1, 1, width]."""

    images: ImageSet
    train_features: np.ndarray  # float16 [N, width]
    test_features: np.ndarray
    digest: str  # of both, sixteen hexadecimal digits

    @property
    def train_labels(self) -> np.ndarray:
        return self.images.train_labels

    @property
    def test_labels(self) -> np.ndarray:
        return self.images.test_labels

    @property
    def fingerprint(self) -> str:
        """Of the pictures."""
        return self.images.fingerprint

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, 1, width)."""
        return 1, 1, self.train_features.shape[1]

    def train_pixels(self, positions: np.ndarray) -> np.ndarray:
        """Features of the training images at ``positions`` [n]: float32 [n, 1, 1, width]."""
        return np.asarray(self.train_features[positions], np.float32)[:, None, None]

    def test_pixels(self, positions: np.ndarray | None = None) -> np.ndarray:
        """Features of the test images at ``positions`` [n], or of all: float32 [n, 1, 1, width]."""
        chosen = self.test_features if positions is None else self.test_features[positions]
        return np.asarray(chosen, np.float32)[:, None, None]


_open: OrderedDict[Path, FeatureSet] = OrderedDict()  # what this process has checked; memory-mapped, so that it costs nothing
_MOST = 4


def load_features(
    frozen: Frozen, dataset: str, data_dir: str | None = None, device: str = "cpu", progress: Progress | None = None
) -> FeatureSet:
    """The features of the image set ``dataset``, computed if they are not in the cache, and checked if they are.

    Two processes that ask at once compute them once. A process that is killed leaves pieces, with which the next one goes on.

    Args:
        device: on which they are computed, if they have to be.
        progress: told how many pictures are done, of how many, while they are computed.

    Raises:
        UserError: the set, the backbone or its weights are not there, or the cache cannot be written.
    """
    images = load_set(dataset, data_dir)
    folder = folder_of(frozen, images)
    if folder not in _open:
        found = _read(folder, images)
        if found is None:
            _make(folder, frozen, images, device, progress or (lambda done, total: None))
            found = _read(folder, images)
            assert found is not None, "features that were just written cannot be read"
        _open[folder] = found
        while len(_open) > _MOST:
            _open.popitem(last=False)
    return _open[folder]


def folder_of(frozen: Frozen, images: ImageSet) -> Path:
    """Where the features of ``images`` are kept: named by a hash of pictures, backbone, weights, size and `VERSION`."""
    depends = {"images": images.fingerprint, **vars(frozen), "version": VERSION}
    key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir() / "features" / f"{images.name}-{frozen.backbone.replace('/', '-')}-{key}"


def _make(folder: Path, frozen: Frozen, images: ImageSet, device: str, progress: Progress) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if _read(folder, images) is None:  # else another process has made them meanwhile
                compute(folder, frozen, images, device, progress)
    except OSError as error:
        raise UserError(
            f"features cannot be kept in {folder.parent} ({error.strerror or error}): set LT_CACHE to a folder with room"
        ) from error


def _read(folder: Path, images: ImageSet) -> FeatureSet | None:
    """The features in ``folder``; None if they are not there, or not as they were written."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        for part in PARTS:
            with open(folder / f"{part}.npy", "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != meta[part]:
                    raise ValueError(f"{part}.npy is not what was written")
        train, test = (np.load(folder / f"{part}.npy", mmap_mode="r") for part in PARTS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, EOFError, KeyError) as error:
        warnings.warn(f"features in {folder} are damaged and are computed again: {error}", stacklevel=3)
        return None
    return FeatureSet(images, train, test, hashlib.sha256(f"{meta['train']} {meta['test']}".encode()).hexdigest()[:16])
