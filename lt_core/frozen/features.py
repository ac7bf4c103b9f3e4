"""Features of a whole image set, stored under a hash of everything that they depend on, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from lt_core.cache import cache_dir
from lt_core.data.images import ImageSet
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.frozen import views
from lt_core.frozen.compute import VERSION, Progress, compute, parts_of
from lt_core.frozen.label import Frozen


@dataclass(frozen=True)
class FeatureSet:
    """An `ImageSet` in which each picture is replaced by its features, float32 [1, 1, width]."""

    images: ImageSet
    train_features: np.ndarray  # float16 [N, width]
    test_features: np.ndarray
    digest: str  # of all features, sixteen hexadecimal digits
    view_features: tuple[np.ndarray, ...] = ()  # of the training images, for each view but the first: float16 [N, width]
    validation_features: np.ndarray | None = None

    @property
    def train_labels(self) -> np.ndarray:
        return self.images.train_labels

    @property
    def test_labels(self) -> np.ndarray:
        return self.images.test_labels

    @property
    def validation_labels(self) -> np.ndarray | None:
        return self.images.validation_labels

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the pictures."""
        return self.images.fingerprint

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a picture's features: (1, 1, width)."""
        return 1, 1, self.train_features.shape[1]

    def train_pixels(self, positions: np.ndarray) -> np.ndarray:
        """Features of the training images at ``positions`` [n]: float32 [n, 1, 1, width]."""
        return np.asarray(self.train_features[positions], np.float32)[:, None, None]

    def train_views(self, positions: np.ndarray) -> np.ndarray | None:
        """Features of all views but the first of the training images at ``positions`` [n]: float16 [n, k − 1, 1, 1, width]."""
        if not self.view_features:
            return None
        return np.stack([features[positions] for features in self.view_features], axis=1)[:, :, None, None]

    def validation_pixels(self, positions: np.ndarray) -> np.ndarray:
        """Features of the images at ``positions`` [n] of the set's own validation split: float32 [n, 1, 1, width]."""
        assert self.validation_features is not None
        return np.asarray(self.validation_features[positions], np.float32)[:, None, None]

    def test_pixels(self, positions: np.ndarray | None = None) -> np.ndarray:
        """Features of the test images at ``positions`` [n], or of all: float32 [n, 1, 1, width]."""
        chosen = self.test_features if positions is None else self.test_features[positions]
        return np.asarray(chosen, np.float32)[:, None, None]


#: Features that this process has checked, by folder and number of views; memory-mapped, so that keeping them costs nothing.
_open: OrderedDict[tuple[Path, int], FeatureSet] = OrderedDict()
_MOST = 4
_Parts = dict[str, tuple[str, np.ndarray]]  # split of a set → SHA-256 of the file, and features


def load_features(
    frozen: Frozen, dataset: str, data_dir: str | None = None, device: str = "cpu", progress: Progress | None = None
) -> FeatureSet:
    """The features of the image set ``dataset``, computed if they are not in the cache, and checked if they are.

    If two processes ask at the same time, only one computes them. If a process is killed, the next one continues with its pieces.

    Args:
        device: the device on which they are computed, if necessary.
        progress: is called with the number of pictures that are done, and with the number of all, while they are computed.

    Raises:
        UserError: the set, the backbone or its weights are missing, or the cache cannot be written.
    """
    images = load_set(dataset, data_dir)
    key = folder_of(frozen, images), frozen.views
    if key not in _open:
        _open[key] = _all_views(frozen, images, device, progress or (lambda done, total: None))
        while len(_open) > _MOST:
            _open.popitem(last=False)
    return _open[key]


def _all_views(frozen: Frozen, images: ImageSet, device: str, progress: Progress) -> FeatureSet:
    """The features of all views, from the cache or computed now. Each view is stored separately, so that more views cost only
    their own time and space.
    """
    sizes = [sum(map(len, parts_of(images, view).values())) for view in range(frozen.views)]
    read: list[_Parts] = []
    for view in range(frozen.views):
        folder, before = folder_of(frozen, images, view), sum(sizes[:view])
        found = _read(folder, images, view)
        if found is None:
            _make(folder, frozen, images, view, device, partial(_told_of_all, progress, before, sum(sizes)))
            found = _read(folder, images, view)
            assert found is not None, "the features that were just written cannot be read"
        read.append(found)
    digests = " ".join(digest for parts in read for digest, _ in parts.values())
    digest = hashlib.sha256(digests.encode()).hexdigest()[:16]
    others = tuple(parts["train"][1] for parts in read[1:])
    own = read[0]["validation"][1] if "validation" in read[0] else None
    return FeatureSet(images, read[0]["train"][1], read[0]["test"][1], digest, others, own)


def _told_of_all(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    """Report progress over the pictures of all views, of which ``before`` come before the present view."""
    progress(before + done, total)


def folder_of(frozen: Frozen, images: ImageSet, view: int = 0) -> Path:
    """The folder for the features of a view of ``images``, named by a hash of pictures, backbone, weights, size and `VERSION`.

    For views other than the pictures themselves, the hash includes how the view is made.
    """
    depends = {"images": images.fingerprint, **frozen.network, "version": VERSION}
    made = {"view": view, "views": views.VERSION} if view else {}
    key = hashlib.sha256(json.dumps({**depends, **made}, sort_keys=True).encode()).hexdigest()[:16]
    name = f"{images.name}-{frozen.backbone.replace('/', '-')}{f'-view{view}' if view else ''}-{key}"
    return cache_dir() / "features" / name


def _make(folder: Path, frozen: Frozen, images: ImageSet, view: int, device: str, progress: Progress) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if _read(folder, images, view) is None:  # otherwise another process has made them in the meantime
                compute(folder, frozen, images, view, device, progress)
    except OSError as error:
        raise UserError(
            f"features cannot be stored in {folder.parent} ({error.strerror or error}): set LT_CACHE to a folder with enough "
            "space"
        ) from error


def _read(folder: Path, images: ImageSet, view: int) -> _Parts | None:
    """The features in ``folder``; None if they are missing, or not as they were written."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        found = {}
        for part in parts_of(images, view):
            with open(folder / f"{part}.npy", "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != meta[part]:
                    raise ValueError(f"{part}.npy has changed")
            found[part] = str(meta[part]), np.load(folder / f"{part}.npy", mmap_mode="r")
        return found
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, EOFError, KeyError) as error:
        warnings.warn(f"features in {folder} are damaged and are computed again: {error}", stacklevel=3)
        return None
