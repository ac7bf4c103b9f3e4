"""Heat maps of several methods over the same test pictures: the choice of pictures, and each method's heat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from bench.explaining.kept import network
from bench.records.store import Store
from lt_core import asked
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.explain import Explanation
from lt_core.result import TrialResult
from lt_core.trained import Trained
from lt_core.training.runtime import Runtime

#: What a map is about: the picture's class, or the one that the method takes it for.
OF = ("true", "predicted")


@dataclass(frozen=True)
class Column:
    """What one method says about the pictures.

    Attributes:
        heat: float32 [N, H, W].
        sought: int [N], the class that each map is about.
        predicted: int [N].
        probability: [N], of the predicted class.
    """

    label: str
    heat: np.ndarray
    sought: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class Sheet:
    """Test pictures, from head to tail, and what methods say about them.

    Attributes:
        pixels: uint8 [N, H, W, channels], as the network sees them.
        labels: int [N].
        train_counts: images of each class that were trained on.
        class_names: of each class.
        places: rows and columns of the coarsest map, before it is enlarged to the size of the pictures.
    """

    pixels: np.ndarray
    labels: np.ndarray
    train_counts: Sequence[int]
    class_names: Sequence[str]
    columns: Sequence[Column]
    places: tuple[int, int]


def sheet(
    store: Store, results: Sequence[TrialResult], explanation: Explanation, pictures: int, of: str, runtime: Runtime
) -> Sheet:
    """Heat maps of the trials ``results``, which share their test set, over as many pictures; the first trial chooses them.

    Raises:
        UserError: missing weights or images, features instead of pictures, or a network that cannot be explained in this way.
    """
    first = results[0]
    networks = [asked.sees_pictures(network(store, result)).to(runtime.torch_device()) for result in results]
    images = load_set(first.spec.data.dataset, runtime.data_dir)
    guessed = asked.probabilities(networks[0], images.test_pixels, len(images.test_labels)).argmax(axis=1)
    positions = chosen_pictures(images.test_labels, guessed == images.test_labels, first.train_counts, pictures)
    pixels, labels = images.test_pixels(positions), np.asarray(images.test_labels[positions])
    columns = [_column(trained, explanation, pixels, labels, of) for trained in networks]
    names = DATASETS[first.spec.data.dataset].class_names or tuple(map(str, range(len(first.train_counts))))
    places = min((asked.places(trained, explanation, pixels) for trained in networks), key=prod)
    return Sheet(asked.shown(networks[0], pixels), labels, first.train_counts, names, columns, places)


def _column(trained: Trained, explanation: Explanation, pixels: np.ndarray, labels: np.ndarray, of: str) -> Column:
    said = asked.probabilities(trained, pixels.__getitem__, len(pixels))
    predicted = said.argmax(axis=1)
    sought = predicted if of == "predicted" else labels
    heat = asked.heat(trained, explanation, pixels, sought)
    return Column(trained.spec.method.label, heat, sought, predicted, said.max(axis=1))


def chosen_pictures(labels: np.ndarray, right: np.ndarray, train_counts: Sequence[int], wanted: int) -> np.ndarray:
    """Positions of ``wanted`` pictures: classes evenly from the largest to the smallest, and from each class the first picture
    that is predicted correctly and the first that is not; if there is none of one kind, another of the other kind.

    >>> right = np.array([True, True, False, False, True, False])
    >>> chosen_pictures(np.array([0, 0, 0, 1, 1, 1]), right, [5, 50], wanted=4).tolist()
    [4, 3, 0, 2]

    Args:
        labels: int [T], of the test set.
        right: bool [T], whether each is told right.
    """
    order = np.argsort(-np.asarray(train_counts), kind="stable")
    classes = min(len(order), -(-wanted // 2))
    among = order[np.linspace(0, len(order) - 1, classes).round().astype(int)]
    each = [wanted // classes + (place < wanted % classes) for place in range(classes)]
    found: list[int] = []
    for label, number in zip(among, each, strict=True):
        mine = np.flatnonzero(labels == label)
        kinds = [list(mine[right[mine]]), list(mine[~right[mine]])]
        for turn in range(min(number, len(mine))):
            kind = kinds[turn % 2] or kinds[1 - turn % 2]
            found.append(int(kind.pop(0)))
    return np.array(found)
