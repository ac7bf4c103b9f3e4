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
    """A set that is found in a folder named as one of ``aliases``, or downloaded by the class ``torchvision`` of
    torchvision.datasets. ``fingerprint`` is that of the published images; empty if unknown.
    """

    aliases: tuple[str, ...] = ()
    torchvision: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Made:
    """A set that is made by code: ``read()`` gives (images, labels) of the training set and (images, labels) of the test set.

    Images are uint8 [N, height, width, channels], labels [N]. ``kept`` means that the set is always the same and is therefore
    cached on disk.
    """

    read: Callable[[], Any]
    kept: bool = False


@dataclass(frozen=True)
class ClassesOf:
    """Some classes of the set ``whole``, in their new order."""

    whole: str
    labels: tuple[int, ...]


#: Where a set comes from; `lt_core.data.sources` reads each kind. A `Definition` describes pictures that a user added, a
#: `Standard` pictures that are found by the lists which papers use.
Source = Found | Made | ClassesOf | Definition | Standard


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a set.

    Args:
        train_counts: images of each class in the official training set.
        by_class: whether ``train_counts`` are right for each class. If not, their number, sum, largest and smallest are right,
            and only the set itself shows which class has how many images.
        validation_each: images of each class in the set's own validation split; 0: it has none, and validation images are
            training images that are held out.
        mask: pixels uint8 [N, height, width, channels] → where the object is in each picture, bool [N, height, width]; None if
            that is not known.
    """

    name: str
    about: str
    train_counts: tuple[int, ...]
    test_count: int  # approximate for a set that consists of some classes of another
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
        """Default size of the largest class of a long-tailed subset: the size of the set's smallest class."""
        return min(self.train_counts)
