"""The image sets that the benchmark knows, and what must be known of them before they are loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from lt_core.errors import UserError
from lt_core.registry import Registry


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a set. ``train_counts``: images of each class in the official training part.

    A set with ``read`` is made by code: ``read()`` gives ((images, labels), (images, labels)), of the training and of the test
    part, images uint8 [N, height, width, channels] and labels [N]. One with ``aliases`` is found in a folder of that name.
    """

    name: str
    about: str
    train_counts: tuple[int, ...]
    test_count: int  # about, for some classes of a set
    image_shape: tuple[int, int, int]  # height, width, channels
    aliases: tuple[str, ...] = ()  # folder names under which the set is found
    torchvision: str = ""  # class in torchvision.datasets; empty: there is no download
    class_names: tuple[str, ...] = ()
    part_of: str = ""  # the set that this one is some classes of
    labels: tuple[int, ...] = ()  # those classes, in their new order
    read: Callable[[], Any] | None = field(default=None, compare=False)

    @property
    def classes(self) -> int:
        return len(self.train_counts)

    @property
    def n_max(self) -> int:
        """Default size of the largest class of a long-tailed subset: what every class can give."""
        return min(self.train_counts)


_SOME_CLASSES = re.compile(r"(.+)_((?:0|[1-9]\d*)(?:v(?:0|[1-9]\d*))+)")  # digits_3v8


class _Datasets(Registry[DatasetInfo]):
    """The registered sets, and by names such as ``cifar10_3v5`` some classes of them: 3, from now on 0, and 5, from now on 1."""

    def _has(self, plain: str) -> bool:
        return super()._has(plain) or super()._has(_some_classes(plain)[0])

    def _item(self, plain: str) -> DatasetInfo:
        if super()._has(plain):
            return super()._item(plain)
        base, labels = _some_classes(plain)
        return _part(super()._item(base), plain, labels)

    def _version(self, plain: str) -> str:
        return super()._version(plain) or super()._version(_some_classes(plain)[0])


def _some_classes(name: str) -> tuple[str, tuple[int, ...]]:
    """The set and the classes of it that ``name`` means; an empty name where it means none."""
    found = _SOME_CLASSES.fullmatch(name)
    return (found[1], tuple(map(int, found[2].split("v")))) if found else ("", ())


@cache
def _part(whole: DatasetInfo, name: str, labels: tuple[int, ...]) -> DatasetInfo:
    if max(labels) >= whole.classes or len(set(labels)) < len(labels):
        raise UserError(f"dataset {name}: needs different classes of {whole.name}, from 0 to {whole.classes - 1}")
    return replace(
        whole,
        name=name,
        about=f"classes {' and '.join(map(str, labels))} of {whole.name}",
        train_counts=tuple(whole.train_counts[c] for c in labels),
        test_count=whole.test_count * len(labels) // whole.classes,
        class_names=tuple(whole.class_names[c] for c in labels) if whole.class_names else (),
        part_of=whole.name,
        labels=labels,
    )


DATASETS: Registry[DatasetInfo] = _Datasets("dataset")


def dataset(**fields: object) -> DatasetInfo:
    info = DatasetInfo(**fields)  # type: ignore[arg-type]
    return DATASETS.add(info.name, info)


_TEN = tuple("0123456789")
dataset(
    name="digits", about="handwritten digits of scikit-learn, 8×8 grey, embedded",
    train_counts=(128, 132, 127, 133, 131, 132, 131, 129, 124, 130), test_count=500, image_shape=(8, 8, 1), class_names=_TEN,
)  # fmt: skip
dataset(
    name="mnist", about="handwritten digits, 28×28 grey",
    train_counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949), test_count=10_000, image_shape=(28, 28, 1),
    aliases=("mnist", "MNIST", "ylecun___mnist"), torchvision="MNIST", class_names=_TEN,
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
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)  # fmt: skip
dataset(
    name="cifar100", about="natural images of a hundred classes, 32×32 colour",
    train_counts=(500,) * 100, test_count=10_000, image_shape=(32, 32, 3),
    aliases=("cifar100", "cifar-100", "CIFAR100", "cifar-100-python", "uoft-cs___cifar100"), torchvision="CIFAR100",
)  # fmt: skip
