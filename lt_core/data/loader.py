"""Images on the device, once per process, and batches of them: look-up, crop and flip in one indexing operation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lt_core.data.images import fingerprint
from lt_core.data.longtail import extra_indices, split_indices
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.data.unlabelled import semi_indices
from lt_core.recipes import Recipe
from lt_core.spec import DataSpec

#: Mean and standard deviation a channel. The first is what most public code has, the mean of each image's own deviation; the
#: second is the deviation over all pixels of CIFAR-10.
_CIFAR = {
    "cifar": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar_pixels": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
}


@dataclass(frozen=True)
class Images:
    """``pixels`` uint8 [N, H, W, channels] (channels last in memory) and ``labels`` int64 [N], on one device."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Split:
    """The sets of a trial. ``counts``: training images of each class, float64 [C], on the device.

    Unlabelled images have no labels here: those that are known are for diagnosis alone, and `hidden_labels` keeps them.
    """

    train: Images
    validation: Images
    test: Images
    counts: Tensor
    shape: tuple[int, int, int]
    fingerprint: str  # of the whole set
    subset_fingerprint: str  # of the chosen training images
    unlabelled: Tensor | None = None  # uint8 [U, H, W, channels]
    extra: Images | None = None  # as many images of each class beyond the training subset, for a method that asks for them
    true_counts: Tensor | None = None  # sizes of the classes without pseudo-labelled images, where there are some

    @property
    def labelled_counts(self) -> Tensor:
        """Images of each class whose labels are true."""
        return self.counts if self.true_counts is None else self.true_counts


def _to(device: torch.device, pixels: np.ndarray, labels: np.ndarray) -> Images:
    return Images(torch.from_numpy(np.array(pixels)).to(device), torch.from_numpy(np.array(labels)).to(device))


@lru_cache(maxsize=2)
def _test_images(name: str, data_dir: str | None, device: torch.device) -> Images:
    whole = load_set(name, data_dir)
    return _to(device, whole.test_images, whole.test_labels)


@lru_cache(maxsize=2)
def load_split(spec: DataSpec, device: torch.device, data_dir: str | None = None, extra: int = 0) -> Split:
    """Training subset, validation split and test part of ``spec`` on ``device``; shared by the trials of a process.

    Args:
        extra: images a class beyond the training subset.
    """
    whole = load_set(spec.dataset, data_dir)
    _, validation = split_indices(spec, whole.train_labels)
    train, unlabelled = semi_indices(spec, whole.train_labels)
    beyond = extra_indices(spec, whole.train_labels, extra)
    classes = DATASETS[spec.dataset].classes
    chosen = np.sort(train)
    return Split(
        train=_to(device, whole.train_images[train], whole.train_labels[train]),
        validation=_to(device, whole.train_images[validation], whole.train_labels[validation]),
        test=_test_images(spec.dataset, data_dir, device),
        counts=torch.from_numpy(np.bincount(whole.train_labels[train], minlength=classes)).double().to(device),
        shape=DATASETS[spec.dataset].image_shape,
        fingerprint=whole.fingerprint,
        subset_fingerprint=fingerprint(chosen, whole.train_labels[chosen]),
        unlabelled=torch.from_numpy(np.array(whole.train_images[unlabelled])).to(device) if len(unlabelled) else None,
        extra=_to(device, whole.train_images[beyond], whole.train_labels[beyond]) if extra else None,
    )


def hidden_labels(spec: DataSpec, device: torch.device, data_dir: str | None = None) -> Tensor:
    """The labels of the unlabelled images, int64 [U], in their order. For diagnosis: no training code may ask for them."""
    whole = load_set(spec.dataset, data_dir)
    _, unlabelled = semi_indices(spec, whole.train_labels)
    return torch.from_numpy(np.array(whole.train_labels[unlabelled])).to(device)


class Batches:
    """Makes float batches [B, channels, H, W], channels last in memory, normalised; augmented for training.

    Args:
        normalised_as: batches whose normalisation to take over, for unlabelled images.
    """

    def __init__(self, train: Images, recipe: Recipe, normalised_as: Batches | None = None) -> None:
        self.pad, self.flip = recipe.pad, recipe.flip
        self.labels = train.labels
        self.height, self.width = train.pixels.shape[1:3]
        # Padded once, before normalisation, as torchvision's RandomCrop does on the picture.
        self.pad_with = recipe.pad_with
        self.padded = self._padded(train.pixels)
        if normalised_as is None:
            mean, std = _normalisation(recipe.normalize, train.pixels)
            self.scale = (1 / (255 * std)).to(train.pixels.device)
            self.shift = (-mean / std).to(train.pixels.device)
        else:
            self.scale, self.shift = normalised_as.scale, normalised_as.shift

    def train(self, positions: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Images at ``positions`` with a random crop and flip each, and their labels."""
        return self.normalise(self.pixels(positions, generator)), self.labels[positions]

    def pixels(self, positions: Tensor, generator: Generator) -> Tensor:
        """Pixels at ``positions`` with a random crop and flip each: uint8 [B, H, W, channels]."""
        return self._cropped(self.padded, positions, generator)

    def moved(self, pixels: Tensor, generator: Generator) -> Tensor:
        """``pixels`` [B, H, W, channels] with a random crop and flip each."""
        return self._cropped(self._padded(pixels), torch.arange(len(pixels), device=pixels.device), generator)

    def plain(self, positions: Tensor) -> Tensor:
        """Pixels at ``positions`` as they are: uint8 [B, H, W, channels]."""
        return self.padded[positions, self.pad : self.pad + self.height, self.pad : self.pad + self.width]

    def _padded(self, pixels: Tensor) -> Tensor:
        """With ``pad`` pixels more a side, black or a reflection of what lies within."""
        if self.pad_with == "black" or not self.pad:
            return F.pad(pixels, (0, 0, self.pad, self.pad, self.pad, self.pad))
        rows, columns = (
            (size - 1 - (torch.arange(-self.pad, size + self.pad, device=pixels.device).abs() - (size - 1)).abs())
            for size in (self.height, self.width)
        )
        return pixels[:, rows][:, :, columns]

    def _cropped(self, padded: Tensor, positions: Tensor, generator: Generator) -> Tensor:
        count, device = len(positions), positions.device
        rows = torch.arange(self.height, device=device)[None]
        columns = torch.arange(self.width, device=device)[None]
        if self.pad:
            corner = torch.randint(0, 2 * self.pad + 1, (2, count, 1), generator=generator, device=device)
            rows, columns = rows + corner[0], columns + corner[1]
        if self.flip:
            flipped = torch.randint(0, 2, (count, 1), generator=generator, device=device, dtype=torch.bool)
            columns = torch.where(flipped, columns.flip(1), columns)
        return padded[positions[:, None, None], rows[:, :, None], columns[:, None, :]]

    def normalise(self, pixels: Tensor) -> Tensor:
        """uint8 [B, H, W, channels] to float32 [B, channels, H, W]."""
        return torch.addcmul(self.shift, pixels, self.scale).permute(0, 3, 1, 2)


def _normalisation(kind: str, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation a channel, in units of 0…1."""
    channels = pixels.shape[3]
    if kind == "subset":
        flat = pixels.reshape(-1, channels).double() / 255
        return flat.mean(0).float().cpu(), flat.std(0).float().cpu()
    if kind in _CIFAR:
        return torch.tensor(_CIFAR[kind][0]), torch.tensor(_CIFAR[kind][1])
    if kind == "signed":  # x/128 − 1
        return torch.full((channels,), 128 / 255), torch.full((channels,), 128 / 255)
    if kind == "symmetric":  # 2x/255 − 1
        return torch.full((channels,), 0.5), torch.full((channels,), 0.5)
    if kind == "none":  # numbers as they are: stored features, not pixels
        return torch.zeros(1), torch.full((1,), 1 / 255)
    return torch.zeros(channels), torch.ones(channels)
