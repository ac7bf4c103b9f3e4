"""The images of a set by its name, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lt_core.cache import cache_dir
from lt_core.data.found import ImagesAndLabels, find_set, reason
from lt_core.data.images import ImageSet, Pixels, make_set, read_cache, write_cache
from lt_core.data.pictures.source import load_pictures
from lt_core.data.pictures.standard import load_standard
from lt_core.data.registered import Definition
from lt_core.data.sets import DATASETS, ClassesOf, DatasetInfo, Found, Made
from lt_core.data.standard import Standard
from lt_core.errors import UserError

if TYPE_CHECKING:
    from lt_core.data.spec import DataSpec


@lru_cache(maxsize=4)
def load_set(name: str, data_dir: str | None = None) -> ImageSet:
    """The image set ``name``, decoded and in canonical order; from the cache if it has been decoded before.

    Published sets are looked for under ``data_dir`` (or ``LT_DATA``): Parquet shards in the layout of the Hugging Face hub,
    torchvision's own folders, or one folder per class. Otherwise torchvision downloads them into the cache.

    Raises:
        UserError: nothing was found and nothing could be downloaded; the message says what was looked for and where.
    """
    info = DATASETS[name]
    return _load(info.source, info, name, data_dir)


def fetch_sets(names: Iterable[str], data_dir: str | None = None) -> None:
    """Find, download or decode each of the sets once, now, so that workers do not each have to do it.

    Raises:
        UserError: for the same reasons as in `load_set`.
    """
    for name in dict.fromkeys(names):
        load_set(name, data_dir)


class Validated(Protocol):
    """Images or features, with the labels of their own validation split if there is one."""

    @property
    def validation_labels(self) -> np.ndarray | None: ...


def own_validation(spec: DataSpec, images: Validated) -> np.ndarray | None:
    """The labels of the set's own validation split, if ``spec`` uses it for validation; otherwise None.

    Raises:
        UserError: the set has such a split, but it was not found.
    """
    if not (spec.validation and spec.own_validation):
        return None
    if images.validation_labels is None:
        raise UserError(
            f"{spec.dataset}: validation {spec.validation} uses the set's own validation split, but its list or its pictures "
            "are not in the data folder: put them beside the others (see `data show`), or set validation to 0"
        )
    return images.validation_labels


@singledispatch
def _load(source: object, info: DatasetInfo, name: str, data_dir: str | None) -> ImageSet:
    raise TypeError(f"dataset {info.name} has a source of an unknown kind: {source!r}")


@_load.register
def _(source: Found, info: DatasetInfo, name: str, data_dir: str | None) -> ImageSet:
    return find_set(info, source, data_dir)


@_load.register
def _(source: Definition, info: DatasetInfo, name: str, data_dir: str | None) -> ImageSet:
    return load_pictures(source, name)


@_load.register
def _(source: Standard, info: DatasetInfo, name: str, data_dir: str | None) -> ImageSet:
    return load_standard(info.name, source, data_dir)


@_load.register
def _(source: Made, info: DatasetInfo, name: str, data_dir: str | None) -> ImageSet:
    """Cached on disk only if ``source`` says so: nothing guarantees that a user's code would make the same set again."""
    cached = read_cache(cache_dir() / name, name) if source.kept else None
    if cached is not None:
        return cached
    try:
        made = make_set(name, *source.read())
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"dataset {info.name} cannot be created ({type(error).__name__}: {reason(error)}): fix its read()"
        ) from error
    if source.kept:
        write_cache(cache_dir() / name, made)
    return made


@_load.register
def _(source: ClassesOf, info: DatasetInfo, name: str, data_dir: str | None) -> ImageSet:
    whole = load_set(DATASETS.versioned(source.whole), data_dir)

    def part(images: Pixels, labels: np.ndarray) -> ImagesAndLabels:
        chosen = np.isin(labels, source.labels)
        return images[chosen], np.array([source.labels.index(label) for label in labels[chosen]])

    return make_set(info.name, part(whole.train_images, whole.train_labels), part(whole.test_images, whole.test_labels))
