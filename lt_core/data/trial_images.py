"""The images of one trial, selected and gathered once, with the labels that training must not see kept separately."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lt_core.data import stored
from lt_core.data.draw import draw
from lt_core.data.images import ImageSet
from lt_core.data.loader import Images, Split
from lt_core.data.sources import load_set, own_validation
from lt_core.data.spec import DataSpec
from lt_core.frozen.features import FeatureSet, load_features
from lt_core.frozen.label import Frozen


class HiddenLabels:
    """The true labels of the unlabelled images, in their order: predictions can be compared with them, but they cannot be read.

    Args:
        labels: int64 [U].
        classes: the number of classes, whether they occur or not.
    """

    def __init__(self, labels: Tensor, classes: int) -> None:
        self.__labels, self.__classes = labels, classes

    def confusion(self, predicted: Tensor) -> np.ndarray:
        """How many images of class i (row) are predicted as class j (column) by ``predicted`` [U]: int64 [C, C]."""
        classes = self.__classes
        pairs = torch.bincount(self.__labels * classes + predicted, minlength=classes * classes)
        return pairs.reshape(classes, classes).cpu().numpy()


@dataclass(frozen=True)
class TrialImages:
    """The data of a trial. Training gets only ``split``; ``hidden`` exists if some images are unlabelled."""

    split: Split
    hidden: HiddenLabels | None
    fingerprint: str  # of the whole set
    subset_fingerprint: str  # of the chosen training images
    features: str = ""  # digest of the features that replace all images of the set; empty: there are none

    @property
    def version(self) -> str:
        """A text that changes with any image of the set, the choice of training images, and the features."""
        return f"{self.fingerprint} {self.subset_fingerprint} {self.features}".rstrip()


def draw_images(
    spec: DataSpec, device: torch.device, data_dir: str | None = None, extra: int = 0, frozen: Frozen | None = None
) -> TrialImages:
    """The images of ``spec`` on ``device``.

    Args:
        extra: images per class beyond the training subset.
        frozen: use the features of this backbone instead of the images.

    Raises:
        UserError: the set or the backbone is missing, or the classes have too few images for ``spec``.
    """
    features = load_features(frozen, spec.dataset, data_dir, str(device)) if frozen else None
    whole: ImageSet | FeatureSet = features or load_set(spec.dataset, data_dir)
    own = own_validation(spec, whole)
    chosen = draw(spec, whole.train_labels, extra, own)

    def looked_up(read: Callable[[np.ndarray], np.ndarray], positions: np.ndarray) -> Tensor:
        if features is not None:
            return torch.from_numpy(read(positions)).to(device)
        if stored.stays_on_disk(len(positions) * math.prod(whole.shape), device):
            return cast(Tensor, stored.Stored(read, positions, whole.shape, device))
        return stored.copied(read, positions, whole.shape, device)

    def pixels(positions: np.ndarray) -> Tensor:
        return looked_up(whole.train_pixels, positions)

    def labels(positions: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(whole.train_labels[positions])).to(device)

    def images(positions: np.ndarray) -> Images:
        return Images(pixels(positions), labels(positions))

    def validation() -> Images:
        if own is None:
            return images(chosen.validation)
        return Images(looked_up(whole.validation_pixels, chosen.validation), torch.from_numpy(own[chosen.validation]).to(device))

    def for_training(positions: np.ndarray) -> Images:
        views = features.train_views(positions) if features else None
        return replace(images(positions), views=None if views is None else torch.from_numpy(views).to(device))

    tested = torch.from_numpy(np.array(whole.test_labels))
    split = Split(
        train=for_training(chosen.train),
        validation=validation(),
        test=Images(looked_up(whole.test_pixels, np.arange(len(tested))), tested.to(device)),
        counts=torch.tensor(chosen.counts, dtype=torch.float64, device=device),
        shape=whole.shape,
        unlabelled=for_training(chosen.unlabelled).nameless() if len(chosen.unlabelled) else None,
        extra=for_training(chosen.extra) if extra else None,
    )
    hidden = HiddenLabels(labels(chosen.unlabelled), len(chosen.counts)) if len(chosen.unlabelled) else None
    return TrialImages(split, hidden, whole.fingerprint, chosen.fingerprint, features.digest if features else "")
