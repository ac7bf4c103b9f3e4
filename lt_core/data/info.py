"""What is known about an image set before it is loaded, and where it can come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lt_core.data.registered import Definition
from lt_core.data.standard import Standard


@dataclass(frozen=True)
class Found:
    """A set that is found in a folder with one of these names, or downloaded by that class of torchvision.datasets.

    ``fingerprint``: of the published images; empty if unknown.
    """

    aliases: tuple[str, ...] = ()
    torchvision: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Made:
    """A set that is made by code: ``read()`` gives ((images, labels), (images, labels)), of the training and of the test set.

    Images are uint8 [N, height, width, channels], labels [N]. ``kept``: cached on disk, because it is always the same.
    """

    read: Callable[[], Any]
    kept: bool = False


@dataclass(frozen=True)
class ClassesOf:
    """Some classes of the set ``whole``, in their new order."""

    whole: str
    labels: tuple[int, ...]


#: Where a set comes from: what `lt_core.data.sources` reads. A `Definition` is of pictures that a user added, a `Standard` of
#: pictures that are found by the lists which papers use.
Source = Found | Made | ClassesOf | Definition | Standard


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a set.

    Args:
        train_counts: images of each class in the official training set.
        by_class: whether they are known class by class. If not, their number, sum, largest and smallest are right, and which
            class has how many images is known from the set alone.
        validation_each: images of each class in a validation part of the set's own; 0: it has none, and validation images are
            training images that are held out.
        mask: pixels uint8 [N, height, width, channels] → where the object is in each, bool [N, height, width]; None: it is not
            known.
    """

    name: str
    about: str
    train_counts: tuple[int, ...]
    test_count: int  # about, for some classes of a set
    image_shape: tuple[int, int, int]  # height, width, channels
    source: Source = field(compare=False)
    class_names: tuple[str, ...] = ()
    by_class: bool = True
    validation_each: int = 0
    mask: Callable[[np.ndarray], np.ndarray] | None = field(default=None, compare=False)

    @property
    def classes(self) -> int:
        return len(self.train_counts)

    @property
    def n_max(self) -> int:
        """Default size of the largest class of a long-tailed subset: as many images as every class has."""
        return min(self.train_counts)
