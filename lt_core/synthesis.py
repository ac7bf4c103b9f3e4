"""New training images from old ones, made once before training. imbalanced-learn does the synthesis."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from lt_core.fields import param
from lt_core.parts import Part, part


class Synthesis(Part):
    """Fills up the training subset."""

    @abstractmethod
    def fill(self, points: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """``points`` (float, [N, width]) and ``labels`` (int, [N]) with synthetic ones behind them."""


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
        made = [self._of_class(points, labels, c, target, int(sizes[c]), seed) for c in short]
        grown = np.concatenate([points, *made])
        return grown, np.concatenate([labels, *(np.full(len(new), c, labels.dtype) for c, new in zip(short, made, strict=True))])

    def _of_class(self, points: np.ndarray, labels: np.ndarray, label: int, target: int, size: int, seed: int) -> np.ndarray:
        """The synthetic points of one class, which has its own number of neighbours; one image has none and is repeated."""
        from imblearn.over_sampling import RandomOverSampler

        points, labels = self.looked_at(points, labels, label)
        sampler = self.sampler(min(self.smote_k, size - 1), len(points) - 1) if size > 1 else RandomOverSampler()
        sampler.set_params(sampling_strategy={label: target}, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that are larger than what is asked for
            made: np.ndarray = sampler.fit_resample(points, labels)[0][len(points) :]
            return made.copy()  # a view would hold all points once more, for each class

    def looked_at(self, points: np.ndarray, labels: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        """The points that those of class ``label`` are made of, theirs in the order of ``points``: all of them."""
        return points, labels

    @abstractmethod
    def sampler(self, neighbours: int, others: int) -> Any:
        """The imbalanced-learn sampler for one class, ``others`` the points besides one."""


@part("synthesis", "smote")
class Smote(_Smote):
    """A point between an image and one of its k nearest neighbours of the same class (Chawla et al. 2002, section 4.2)."""

    def looked_at(self, points: np.ndarray, labels: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Those of the class, and one other, since imbalanced-learn refuses a single class: the same points as of all, at a
        fraction of the cost.
        """
        mine = labels == label
        mine[np.argmin(mine)] = True
        return points[mine], labels[mine]

    def sampler(self, neighbours: int, others: int) -> Any:
        from imblearn.over_sampling import SMOTE

        return SMOTE(k_neighbors=neighbours)


@part("synthesis", "borderline_smote")
class BorderlineSmote(_Smote):
    """SMOTE only from images of whose ten nearest neighbours at least half, but not all, belong to other classes
    (Borderline-SMOTE1: Han et al. 2005, section 3). A class without such images is not changed.
    """

    def sampler(self, neighbours: int, others: int) -> Any:
        from imblearn.over_sampling import BorderlineSMOTE

        return BorderlineSMOTE(k_neighbors=neighbours, m_neighbors=min(10, others))
