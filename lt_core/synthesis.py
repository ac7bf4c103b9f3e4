"""New training images made from existing ones by imbalanced-learn, once before training."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from lt_core.fields import param
from lt_core.neighbours import nearest
from lt_core.parts import Part, part


class Synthesis(Part):
    """Adds synthetic images to the training subset."""

    @abstractmethod
    def fill(self, points: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """``points`` (float, [N, width]) and ``labels`` (int, [N]) followed by synthetic ones."""


@part("synthesis", "none")
class NoSynthesis(Synthesis):
    """No synthetic images."""

    def fill(self, points: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return points, labels


@dataclass(frozen=True)
class _Smote(Synthesis):
    """Every class with fewer than share · n_max images is filled up to that number."""

    smote_share: float = param(
        1.0,
        "size to which the other classes are filled up, as a share of the largest class; 0: none",
        low=0,
        high=1,
        tune=(0.5, 1.0),
    )
    smote_k: int = param(5, "k: number of nearest neighbours of the same class to interpolate with, at most n_c − 1", low=1)

    def fill(self, points: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        sizes = np.bincount(labels)
        target = int(self.smote_share * sizes.max())
        short = [int(c) for c in np.flatnonzero((sizes > 0) & (sizes < target))]
        around = self.around(points, labels, short)
        made = [self._of_class(points, labels, c, target, around.get(c), seed) for c in short]
        grown = np.concatenate([points, *made])
        return grown, np.concatenate([labels, *(np.full(len(new), c, labels.dtype) for c, new in zip(short, made, strict=True))])

    def _of_class(
        self, points: np.ndarray, labels: np.ndarray, label: int, target: int, around: np.ndarray | None, seed: int
    ) -> np.ndarray:
        """The synthetic points of one class, with a number of neighbours of its own; a single image has none and is repeated."""
        from imblearn.over_sampling import RandomOverSampler

        looked_at = labels == label
        size = int(looked_at.sum())
        looked_at[np.argmin(looked_at)] = True  # imbalanced-learn refuses a single class: one point of another class is enough
        points, labels = points[looked_at], labels[looked_at]
        sampler = RandomOverSampler() if size == 1 else self.sampler(min(self.smote_k, size - 1), labels == label, around)
        sampler.set_params(sampling_strategy={label: target}, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes that are larger than the size asked for
            made: np.ndarray = sampler.fit_resample(points, labels)[0][len(points) :]
            return made.copy()  # a view would keep all points in memory once more for each class

    def around(self, points: np.ndarray, labels: np.ndarray, short: list[int]) -> dict[int, np.ndarray]:
        """For each class that is filled up: whether each of the m nearest neighbours of its points, after the point itself, is of
        the same class, bool [n_c, m + 1]. Empty if other classes do not matter.
        """
        return {}

    @abstractmethod
    def sampler(self, neighbours: int, mine: np.ndarray, around: np.ndarray | None) -> Any:
        """The imbalanced-learn sampler for one class.

        Args:
            neighbours: k, the number of neighbours of the same class.
            mine: which of the given points belong to the class; the others are there because imbalanced-learn needs two classes.
            around: what `around` found for this class.
        """


@part("synthesis", "smote")
class Smote(_Smote):
    """A point between an image and one of its k nearest neighbours of the same class (Chawla et al. 2002, section 4.2)."""

    def sampler(self, neighbours: int, mine: np.ndarray, around: np.ndarray | None) -> Any:
        from imblearn.over_sampling import SMOTE

        return SMOTE(k_neighbors=neighbours)


@part("synthesis", "borderline_smote")
class BorderlineSmote(_Smote):
    """SMOTE only from images with at least half, but not all, of their ten nearest neighbours in other classes
    (Borderline-SMOTE1: Han et al. 2005, section 3). A class without such images is not changed.
    """

    def around(self, points: np.ndarray, labels: np.ndarray, short: list[int]) -> dict[int, np.ndarray]:
        """See the base class. All classes are looked up at once, because a hundred of them take minutes one by one."""
        if not short:
            return {}
        found = labels[nearest(points, min(10, len(points) - 1) + 1)]
        return {c: found[labels == c] == c for c in short}

    def sampler(self, neighbours: int, mine: np.ndarray, around: np.ndarray | None) -> Any:
        from imblearn.over_sampling import BorderlineSMOTE

        assert around is not None
        return BorderlineSMOTE(k_neighbors=neighbours, m_neighbors=_Known(np.where(around, np.argmax(mine), np.argmin(mine))))


class _Known:
    """Neighbours that are already known, in place of the estimator with which imbalanced-learn would look them up.

    Args:
        nearest: int64 [N, m + 1], the positions of each point itself and of its m neighbours.
    """

    def __init__(self, nearest: np.ndarray) -> None:
        self.nearest, self.n_neighbors = nearest, nearest.shape[1]

    def __sklearn_clone__(self) -> _Known:
        return self

    def fit(self, points: np.ndarray) -> _Known:
        return self

    def kneighbors(self, points: np.ndarray, return_distance: bool = False) -> np.ndarray:
        return self.nearest

    kneighbors_graph = kneighbors
