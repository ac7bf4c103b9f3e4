"""CycleGANs between the largest class and every smaller one, and the images that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from lt_core.data.loader import Batches, Images, Split
from lt_core.generation.cyclegan import CycleGAN, Objective
from lt_core.recipes import Recipe

BATCH = 500  # images translated at once
#: (images in −1…1 as made [B, channels, H, W], their labels [B]) → a scalar.
Judge = Callable[[Tensor, Tensor], Tensor]


def filled(counts: Tensor, share: float) -> Tensor:
    """Class sizes [C] once every class has at least int(share · n_max) images."""
    return counts.clamp(min=int(share * float(counts.max())))


def to_signed(pixels: Tensor) -> Tensor:
    """uint8 [B, H, W, channels] to float32 [B, channels, H, W] in −1…1."""
    return (pixels.float() / 127.5 - 1).permute(0, 3, 1, 2)


def to_pixels(images: Tensor) -> Tensor:
    """The inverse of `to_signed`, as float32 0…255 that a gradient can pass: [B, H, W, channels]."""
    return (images.permute(0, 2, 3, 1) + 1) * 127.5


class Translation:
    """A CycleGAN between the largest class (of equal ones the first) and each class that is to be filled up.

    Args:
        sizes: class sizes [C] that the subset is to have.
        batch: images of each class in a step.
        epochs: in all; the learning rate falls linearly to 0 over the second half of them.
        dtype: to compute in, if that is not float32.
    """

    def __init__(
        self,
        split: Split,
        sizes: Tensor,
        how: Objective,
        batch: int,
        recipe: Recipe,
        seed: int,
        epochs: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.how, self.batch, self.epochs, self.epoch = how, batch, epochs, 0
        self.missing = (sizes - split.counts).long()
        self.head = int(split.counts.argmax())
        labels, device = split.train.labels, split.counts.device
        self.of_class = {c: (labels == c).nonzero()[:, 0] for c in [self.head, *self.missing.nonzero()[:, 0].tolist()]}
        # Initialised from the class and the seed, so that a class's generator does not depend on what else is made.
        self.gans = {c: CycleGAN(split.shape, how, 1_000 * seed + c, device, dtype) for c in self.of_class if c != self.head}
        self.batches = Batches(split.train, recipe)
        self.random = torch.Generator(device).manual_seed(3_000_017 + seed)

    def run_epoch(self, judge: Judge | None = None, gamma: float = 1.0) -> Tensor:
        """An epoch: every image of the largest class once for each CycleGAN. Returns the generators' mean loss.

        Args:
            judge: a classifier's mean loss on made images, which is added; that of the smaller class is divided by ``gamma``.
        """
        rate = self.how.lr * min(1.0, 2 * (1 - self.epoch / self.epochs))
        mine, total, steps = self.of_class[self.head], torch.zeros((), device=self.missing.device), 0
        for label, gan in self.gans.items():
            for places in torch.randperm(len(mine), generator=self.random, device=mine.device).split(self.batch):
                theirs = self.of_class[label]
                drawn = torch.randint(len(theirs), (len(places),), generator=self.random, device=mine.device)
                a, b = (to_signed(self.batches.pixels(p, self.random)) for p in (mine[places], theirs[drawn]))
                total += gan.step(a, b, rate, self._class_loss(label, judge, gamma) if judge else None)
                steps += 1
        self.epoch += 1
        return total / max(1, steps)

    def _class_loss(self, label: int, judge: Judge, gamma: float) -> Callable[[Tensor, Tensor], Tensor]:
        def loss(for_a: Tensor, for_b: Tensor) -> Tensor:
            labels = self.missing.new_full
            return judge(for_a, labels((len(for_a),), self.head)) + judge(for_b, labels((len(for_b),), label)) / gamma

        return loss

    @property
    def images_an_epoch(self) -> int:
        """Images that the CycleGANs see in an epoch, of both classes."""
        return 2 * len(self.of_class[self.head]) * len(self.gans)

    def sources(self, count: int, generator: Generator) -> Tensor:
        """Positions of ``count`` images of the largest class, each as often as any other to within one."""
        mine = self.of_class[self.head]
        times = -(-count // len(mine))
        drawn = [torch.randperm(len(mine), generator=generator, device=mine.device) for _ in range(times)]
        return mine[torch.cat(drawn)[:count]] if drawn else mine[:0]

    def make(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """uint8 images of the largest class [B, H, W, channels] as images of classes ``labels`` [B], float32 in −1…1."""
        images = to_signed(pixels)
        made = torch.empty_like(images)
        for label, gan in self.gans.items():
            places = (labels == label).nonzero()[:, 0]
            for part in places.split(BATCH):
                made[part] = gan.translate(images[part])
        return made

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {"epoch": self.epoch, "gans": {c: gan.state() for c, gan in self.gans.items()}, "random": self.random.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.epoch = state["epoch"]
        for c, gan in self.gans.items():
            gan.restore(state["gans"][c])
        self.random.set_state(state["random"])


class TranslatorTraining:
    """The training of a `Translation` alone, epoch by epoch, in the manner of `Training`. No classifier is in it to be judged."""

    judged = False
    shared = None

    def __init__(self, translation: Translation, split: Split, recipe: Recipe) -> None:
        self.translation, self.split, self.recipe = translation, split, recipe
        self.epochs, self.epoch, self.images_seen = translation.epochs, 0, 0

    def run_epoch(self) -> float:
        """Train one epoch; returns the generators' mean loss."""
        loss = self.translation.run_epoch()
        self.epoch, self.images_seen = self.translation.epoch, self.translation.images_an_epoch
        return float(loss)

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "translation": self.translation.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.translation.restore(state["translation"])

    def grown(self) -> Split:
        """The split with translated images behind the real ones, once the training is over; class sizes count them too."""
        split, missing = self.split, self.translation.missing
        labels = torch.arange(len(missing), device=missing.device).repeat_interleave(missing)
        positions = torch.cat([self.translation.sources(int(n), self.translation.random) for n in missing])
        made = to_pixels(self.translation.make(split.train.pixels[positions], labels)).round().clamp(0, 255).to(torch.uint8)
        train = Images(torch.cat([split.train.pixels, made]), torch.cat([split.train.labels, labels]))
        return replace(split, train=train, counts=split.counts + missing, true_counts=split.counts)
