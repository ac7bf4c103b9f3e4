"""Images on the device, and batches of them. Look-up, crop and flip are one indexing operation, unless crops are scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lt_core.data.crops import centre, random_boxes, resampled
from lt_core.data.draws import Draws, Numbers
from lt_core.data.policies import changes_of
from lt_core.data.stored import Stored, moments
from lt_core.recipes import Recipe

#: Mean and standard deviation of each channel. The first is what most public code has, where the deviation is the mean of each
#: image's own; the second has the deviation over all pixels of CIFAR-10; most published networks were trained with the third; the
#: last is in the code of Cui et al. 2019 and Kang et al. 2020 for iNaturalist.
_KNOWN = {
    "cifar": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar_pixels": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "inat": ((0.466, 0.471, 0.380), (0.195, 0.194, 0.192)),
}


@dataclass(frozen=True)
class Images:
    """``pixels`` uint8 [N, H, W, channels] (channels last in memory) and ``labels`` int64 [N], on one device.

    If features take the place of images, ``pixels`` are the features of the unchanged pictures, float32 [N, 1, 1, width].
    ``views``, if there are any, are features of k − 1 further views of the first M ≤ N images, from which training draws: float16
    [M, k − 1, 1, 1, width]. The images after the first M were synthesised from features and have no views. If the images do not
    fit into memory, ``pixels`` is a `Stored`, which looks them up in a file, and is indexed by slices or positions like a tensor.
    """

    pixels: Tensor
    labels: Tensor
    views: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: Tensor | slice) -> Images:
        """The images at ``positions``. If there are views, pass a slice, because the last images may have none."""
        return Images(self.pixels[positions], self.labels[positions], None if self.views is None else self.views[positions])

    def nameless(self) -> Images:
        """These images under the label −1."""
        return replace(self, labels=torch.full_like(self.labels, -1))

    def followed_by(self, others: Images) -> Images:
        """These images, followed by ``others``."""
        views = self.views
        if views is not None and others.views is not None:
            assert len(views) == len(self), "views of images that stand behind others without views have no place"
            views = torch.cat([views, others.views])
        return Images(torch.cat([self.pixels, others.pixels]), torch.cat([self.labels, others.labels]), views)


@dataclass(frozen=True)
class Split:
    """The splits of a trial, as training sees them. ``counts``: class sizes, float64 [C], on the device: training images of each
    class, without those that generators made of another class, since a class is as rare as its real images are.

    Unlabelled images have the label −1 here: their labels, if known, are only for diagnosis, and `TrialImages` keeps them.
    """

    train: Images
    validation: Images
    test: Images
    counts: Tensor
    shape: tuple[int, int, int]
    unlabelled: Images | None = None
    extra: Images | None = None  # a few images of each class outside the training subset, for a method that asks for them
    true_counts: Tensor | None = None  # sizes of the classes without pseudo-labelled images, where there are some
    made_counts: Tensor | None = None  # images of each class in ``train`` that generators made, where there are some

    @property
    def labelled_counts(self) -> Tensor:
        """Images of each class that are not pseudo-labelled: float64 [C]."""
        return self.counts if self.true_counts is None else self.true_counts

    @property
    def drawn_counts(self) -> Tensor:
        """Images of each class in ``train``, whoever made them: what a sampling draws from."""
        return self.counts if self.made_counts is None else self.counts + self.made_counts


class Batches:
    """Makes normalised float batches [B, channels, H, W], channels last in memory. For training they are augmented: pictures are
    cropped and flipped, and one of several views of features is drawn.

    Crops by padding, the flips that go with them, and views are drawn from a generator, in the order of the batches. Scaled crops
    (`Recipe.crop`), their flips, jitter and policies are drawn for each image (`lt_core.data.draws`), with the generator's seed.

    Args:
        normalised_as: other batches of the same training, whose normalisation and epoch these follow (for unlabelled images).
    """

    def __init__(self, train: Images, recipe: Recipe, normalised_as: Batches | None = None) -> None:
        self.recipe, self.pad, self.flip = recipe, recipe.pad, recipe.flip
        self.labels, self.views = train.labels, train.views
        self.height, self.width, channels = train.pixels.shape[1:]
        self.shape = recipe.network_shape((self.height, self.width, channels))
        # Padded once, before normalisation, as torchvision's RandomCrop does on the picture.
        self.pad_with = recipe.pad_with
        self.source = train.pixels
        self.padded = None if isinstance(train.pixels, Stored) or recipe.crop else self._padded(train.pixels)
        self.changes = changes_of(recipe)
        lead: Draws | None = normalised_as.draws if normalised_as else None
        self.draws: Draws = Draws(len(train), train.labels.device, lead)
        if normalised_as is None:
            mean, std = _normalisation(recipe.normalize, train.pixels)
            std = torch.where(std == 0, 1, std)  # so that a feature that is the same in all images does not become NaN
            self.scale = (1 / (255 * std)).to(train.pixels.device)
            self.shift = (-mean / std).to(train.pixels.device)
        else:
            self.scale, self.shift = normalised_as.scale, normalised_as.shift
        # Features are neither cropped nor flipped: they are normalised once, and a batch is a look-up, unless there are views.
        looked_up = train.pixels.is_floating_point() and train.views is None
        self.normalised = self.normalise(train.pixels) if looked_up else None

    @property
    def captured(self) -> bool:
        """Whether batches are made without involving the host; see `lt_core.parts.Part.captured`."""
        by_image = self.recipe.crop or self.changes
        return not isinstance(self.source, Stored) and not by_image

    def train(self, positions: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Images at ``positions``, each augmented or in a random view, and their labels."""
        if self.normalised is not None:
            return self.normalised.index_select(0, positions), self.labels[positions]
        return self.normalise(self.pixels(positions, generator)), self.labels[positions]

    def pixels(self, positions: Tensor, generator: Generator) -> Tensor:
        """Pixels of the images at ``positions``, each augmented: uint8 [B, H, W, channels]; of features, a random view."""
        if self.views is not None:
            return self._drawn(self.views, positions, generator)
        if self.padded is None:
            return self.moved(self.source[positions], positions, generator)
        return self._changed(self._cropped(self.padded, positions, generator), positions, generator)

    def moved(self, pixels: Tensor, positions: Tensor, generator: Generator) -> Tensor:
        """The stored ``pixels`` uint8 [B, H, W, channels] of the images at ``positions``, each augmented."""
        if self.recipe.crop:
            return self._changed(pixels, positions, generator)
        cropped = self._cropped(self._padded(pixels), torch.arange(len(pixels), device=pixels.device), generator)
        return self._changed(cropped, positions, generator)

    def _changed(self, pixels: Tensor, positions: Tensor, generator: Generator) -> Tensor:
        """``pixels`` after the changes that are drawn for each image."""
        if not self.recipe.crop and not self.changes:
            return pixels
        numbers = self.draws.numbers(positions, generator.initial_seed())
        if self.recipe.crop:
            pixels = self._scaled(pixels, numbers)
        for change in self.changes:
            pixels = change(pixels, numbers)
        return pixels

    def _scaled(self, pixels: Tensor, numbers: Numbers) -> Tensor:
        recipe, (height, width) = self.recipe, pixels.shape[1:3]
        boxes = random_boxes(numbers, height, width, recipe.crop_area, recipe.crop_ratio)
        flipped = (numbers.take(1)[0] < 0.5) & self.flip
        return resampled(pixels, boxes, recipe.crop, flipped)

    def for_evaluation(self, pixels: Tensor) -> Tensor:
        """Stored ``pixels`` uint8 [B, H, W, channels] as the network sees them in evaluation: float32 [B, channels, H, W]."""
        return as_evaluated(pixels, self.recipe, self.scale, self.shift)

    def plain(self, positions: Tensor) -> Tensor:
        """Pixels at ``positions`` as they are stored: uint8 [B, H, W, channels]."""
        if self.padded is None:
            return self.source[positions]
        return self.padded[positions, self.pad : self.pad + self.height, self.pad : self.pad + self.width]

    def _drawn(self, views: Tensor, positions: Tensor, generator: Generator) -> Tensor:
        """The features of one view, each equally likely, of the images at ``positions``: float32 [B, 1, 1, width]."""
        drawn = torch.randint(0, 1 + views.shape[1], (len(positions),), generator=generator, device=positions.device)
        as_it_is = (drawn == 0) | (positions >= len(views))
        rows = positions.clamp_max(len(views) - 1) * views.shape[1] + (drawn - 1).clamp_min(0)
        others = views.flatten(0, 1).index_select(0, rows).float()
        return torch.where(as_it_is[:, None, None, None], self.source.index_select(0, positions), others)

    def _padded(self, pixels: Tensor) -> Tensor:
        """``pixels`` with ``pad`` more pixels on each side, which are black or reflect those inside."""
        if not self.pad:
            return pixels
        if self.pad_with == "black":
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
        return _normalised(pixels, self.scale, self.shift)


def as_evaluated(pixels: Tensor, recipe: Recipe, scale: Tensor, shift: Tensor) -> Tensor:
    """`Batches.for_evaluation` for a training whose normalisation is ``scale`` and ``shift`` [channels]."""
    return _normalised(cut_for_evaluation(pixels, recipe), scale, shift)


def cut_for_evaluation(pixels: Tensor, recipe: Recipe) -> Tensor:
    """The part of stored ``pixels`` uint8 [B, H, W, channels] that a network sees in evaluation: all of it, or the centre."""
    return centre(pixels, recipe.evaluated_at, recipe.crop) if recipe.crop else pixels


def _normalised(pixels: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, pixels, scale).permute(0, 3, 1, 2)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n − 1) of each of the many columns of ``features`` [N, width], float32.

    Sums are products, computed in pieces that fit into a processor's cache: on a CPU this is thirty times as fast as
    `torch.var_mean`.
    """
    ones, pieces = features.new_ones(256), features.split(256)
    total, squares = features.new_zeros(2, features.shape[1])
    for piece in pieces:
        total += ones[: len(piece)] @ piece
    mean = total / len(features)
    for piece in pieces:
        squares += ones[: len(piece)] @ (piece - mean).square_()
    return mean, (squares / (len(features) - 1)).sqrt()


def _normalisation(kind: str, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, for values from 0 to 1."""
    channels = pixels.shape[3]
    if kind == "subset" and pixels.is_floating_point():
        mean, deviation = _moments(pixels.reshape(-1, channels))
        return mean.cpu() / 255, deviation.cpu() / 255
    if kind == "subset":
        return moments(pixels)
    if kind in _KNOWN:
        return torch.tensor(_KNOWN[kind][0]), torch.tensor(_KNOWN[kind][1])
    if kind == "signed":  # x/128 − 1
        return torch.full((channels,), 128 / 255), torch.full((channels,), 128 / 255)
    if kind == "symmetric":  # 2x/255 − 1
        return torch.full((channels,), 0.5), torch.full((channels,), 0.5)
    if kind == "none":  # stored features, not pixels: the numbers stay as they are
        return torch.zeros(1), torch.full((1,), 1 / 255)
    return torch.zeros(channels), torch.ones(channels)
