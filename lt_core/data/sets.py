"""The image sets that the benchmark knows, and the facts that are needed before they are loaded."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np

from lt_core.data.info import ClassesOf, DatasetInfo, Found, Made, Source
from lt_core.data.registered import Definition, find
from lt_core.data.registered import names as added_names
from lt_core.data.standard import Standard
from lt_core.data.standard_sets import STANDARD
from lt_core.errors import UserError
from lt_core.labels import without_version
from lt_core.registry import Registry

__all__ = ["DATASETS", "ClassesOf", "DatasetInfo", "Found", "Made", "Source", "dataset", "info_of"]

_SOME_CLASSES = re.compile(r"(.+)_((?:0|[1-9]\d*)(?:v(?:0|[1-9]\d*))+)")  # digits_3v8
_OTHER_SIZE = re.compile(r"(.+)_([1-9]\d*)px")  # imagenet_lt_64px


class _Datasets(Registry[DatasetInfo]):
    """The registered sets, the sets of pictures that the user has added, and sets that names derive from these: ``cifar10_3v5``
    has classes 3 and 5, renumbered 0 and 1; ``imagenet_lt_64px`` is a standard set with pictures of that size.
    """

    def _has(self, plain: str) -> bool:
        if super()._has(plain) or find(plain) is not None:
            return True
        if size := _OTHER_SIZE.fullmatch(plain):
            return self._has(size[1]) and isinstance(self._item(size[1]).source, Standard)
        return (base := _some_classes(plain)[0]) != "" and self._has(base)

    def _item(self, plain: str) -> DatasetInfo:
        if super()._has(plain):
            return super()._item(plain)
        added = find(plain)
        if added:
            return info_of(added)
        if size := _OTHER_SIZE.fullmatch(plain):
            return _at_size(self._item(size[1]), plain, int(size[2]))
        base, labels = _some_classes(plain)
        return _part(self._item(base), plain, labels)

    def _version(self, plain: str) -> str:
        if super()._has(plain):
            return super()._version(plain)
        if added := find(plain):
            return added.version
        base = _some_classes(plain)[0]
        return self._version(base) if base else ""

    def names(self, pattern: str = "*") -> list[str]:
        return super().names(pattern) + [name for name in added_names() if fnmatch.fnmatchcase(name, pattern)]

    def _alike(self, plain: str) -> set[str]:
        return super()._alike(plain) | set(added_names())

    def missing(self, name: str, where: str = "") -> UserError:
        error = super().missing(name, where)
        return error if without_version(name) == name else UserError(f"{error}, or add its pictures again with `data add`")


@lru_cache(maxsize=64)
def info_of(definition: Definition) -> DatasetInfo:
    """The known facts about a set of pictures."""
    return DatasetInfo(
        name=definition.name,
        about=f"pictures in {definition.train} at {definition.size} pixels",
        train_counts=definition.train_counts,
        test_count=definition.test_count,
        image_shape=(definition.size, definition.size, 3),
        source=definition,
        class_names=definition.class_names,
    )


def _some_classes(name: str) -> tuple[str, tuple[int, ...]]:
    """The set, and the classes of it, to which ``name`` refers; an empty name if it does not select classes."""
    found = _SOME_CLASSES.fullmatch(name)
    return (found[1], tuple(map(int, found[2].split("v")))) if found else ("", ())


def _at_size(info: DatasetInfo, name: str, size: int) -> DatasetInfo:
    assert isinstance(info.source, Standard)
    return _standard(name, replace(info.source, size=size))


@lru_cache(maxsize=64)
def _standard(name: str, source: Standard) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        about=source.about,
        train_counts=source.train_counts,
        test_count=source.test.list.images,
        image_shape=(source.size, source.size, 3),
        source=source,
        class_names=source.class_names,
        by_class=source.by_class,
        validation_each=source.validation_each,
    )


@cache
def _part(whole: DatasetInfo, name: str, labels: tuple[int, ...]) -> DatasetInfo:
    if not whole.by_class:
        raise UserError(
            f"dataset {name}: the class sizes of {whole.name} are known only from its list: make a list of these classes, and "
            "add it with `data add`"
        )
    if max(labels) >= whole.classes or len(set(labels)) < len(labels):
        raise UserError(f"dataset {name}: the name must list different classes of {whole.name}, from 0 to {whole.classes - 1}")
    return replace(
        whole,
        name=name,
        about=f"classes {' and '.join(map(str, labels))} of {whole.name}",
        train_counts=tuple(whole.train_counts[c] for c in labels),
        test_count=whole.test_count * len(labels) // whole.classes,
        class_names=tuple(whole.class_names[c] for c in labels) if whole.class_names else (),
        source=ClassesOf(whole.name, labels),
        validation_each=0,
    )


DATASETS: Registry[DatasetInfo] = _Datasets("dataset")


def dataset(
    *,
    read: Callable[[], Any] | None = None,
    aliases: tuple[str, ...] = (),
    torchvision: str = "",
    fingerprint: str = "",
    **fields: Any,
) -> DatasetInfo:
    """Register a set by ``read`` of `Made`, by ``aliases``, ``torchvision`` and ``fingerprint`` of `Found`, or by ``source``."""
    info = DatasetInfo(**{"source": Made(read) if read else Found(aliases, torchvision, fingerprint), **fields})
    return DATASETS.add(info.name, info)


def _digits() -> Any:
    from lt_core.data.digits import read_digits

    return read_digits()


def _digits_in_context(telling: float) -> Any:
    from lt_core.data.planted import read_digits_in_context

    return read_digits_in_context(telling)


def _grey(pixels: np.ndarray) -> np.ndarray:
    from lt_core.data.planted import grey

    return grey(pixels)


_TEN = tuple("0123456789")
dataset(
    name="digits", about="scikit-learn's handwritten digits, 8×8 grey, included in the package",
    train_counts=(128, 132, 127, 133, 131, 132, 131, 129, 124, 130), test_count=500, image_shape=(8, 8, 1), class_names=_TEN,
    source=Made(_digits, kept=True),
)  # fmt: skip
for _percent, _words in (
    (80, "whose colour is that of the class in 80 % of the training images, and random in the test set"),
    (0, "of random colour"),
):
    dataset(
        name=f"digits_context{_percent}", about=f"scikit-learn's digits, 16×16 colour, on a background {_words}",
        train_counts=DATASETS["digits"].train_counts, test_count=500, image_shape=(16, 16, 3), class_names=_TEN,
        source=Made(partial(_digits_in_context, _percent / 100), kept=True), mask=_grey,
    )  # fmt: skip
dataset(
    name="mnist", about="handwritten digits, 28×28 grey",
    train_counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949), test_count=10_000, image_shape=(28, 28, 1),
    aliases=("mnist", "MNIST", "ylecun___mnist"), torchvision="MNIST", class_names=_TEN,
    fingerprint="5432105290c150de",
)  # fmt: skip
dataset(
    name="fashion_mnist", about="articles of clothing, 28×28 grey",
    train_counts=(6000,) * 10, test_count=10_000, image_shape=(28, 28, 1),
    aliases=("fashion_mnist", "fashion-mnist", "FashionMNIST", "zalando-datasets___fashion_mnist"), torchvision="FashionMNIST",
    class_names=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)  # fmt: skip
dataset(
    name="cifar10", about="natural images of ten classes, 32×32 colour",
    train_counts=(5000,) * 10, test_count=10_000, image_shape=(32, 32, 3),
    aliases=("cifar10", "cifar-10", "CIFAR10", "cifar-10-batches-py", "uoft-cs___cifar10"), torchvision="CIFAR10",
    fingerprint="458ad5b7c19f4afa",
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)  # fmt: skip
dataset(
    name="cifar100", about="natural images of a hundred classes, 32×32 colour",
    train_counts=(500,) * 100, test_count=10_000, image_shape=(32, 32, 3),
    aliases=("cifar100", "cifar-100", "CIFAR100", "cifar-100-python", "uoft-cs___cifar100"), torchvision="CIFAR100",
    fingerprint="7a79d8d34ca1c056",
)  # fmt: skip
for _name, _source in STANDARD.items():
    DATASETS.add(_name, _standard(_name, _source))
