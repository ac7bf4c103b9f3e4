"""CycleGANs between the largest class and every smaller one, and the images that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lt_core.data.loader import Batches, Images, Split
from lt_core.features import BATCH
from lt_core.generation.cyclegan import CycleGAN, CycleGANConfig
from lt_core.recipes import Recipe

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
    """A CycleGAN between the largest class (the first of several) and each class that is to be filled up.

    The initialisation and training of each depend only on the seed and its class, not on the other classes.

    Args:
        missing: number of images to add to each class: [C]. batch: images of each class in a step. epochs: in total; the
        learning rate falls linearly to 0 over the second half. dtype: to compute in, if that is not float32.
    """

    def __init__(
        self,
        split: Split,
        missing: Tensor,
        config: CycleGANConfig,
        batch: int,
        recipe: Recipe,
        seed: int,
        epochs: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.config, self.batch, self.epochs, self.epoch = config, batch, epochs, 0
        self.missing, self.head = missing.long(), int(split.counts.argmax())
        labels, device = split.train.labels, split.counts.device
        self.of_class = {c: (labels == c).nonzero()[:, 0] for c in [self.head, *self.missing.nonzero()[:, 0].tolist()]}
        seeds = {c: 1_000 * seed + c for c in self.of_class if c != self.head}
        self.gans = {c: CycleGAN(split.shape, config, s, device, dtype) for c, s in seeds.items()}
        self.random = {c: torch.Generator(device).manual_seed(3_000_017 + s) for c, s in seeds.items()}
        self.batches = Batches(split.train, recipe)

    def run_epoch(self, judge: Judge | None = None, gamma: float = 1.0) -> Tensor:
        """An epoch: every image of the largest class once for each CycleGAN. Returns the generators' mean loss.

        Args:
            judge: a classifier's mean loss on made images, which is added; that of the smaller class is divided by ``gamma``.
        """
        rate = self.config.lr * min(1.0, 2 * (1 - self.epoch / self.epochs))
        mine, losses = self.of_class[self.head], []
        self.batches.draws.begin(self.epoch)
        for label, gan in self.gans.items():
            random, theirs = self.random[label], self.of_class[label]
            for places in torch.randperm(len(mine), generator=random, device=mine.device).split(self.batch):
                drawn = torch.randint(len(theirs), (len(places),), generator=random, device=mine.device)
                a, b = (to_signed(self.batches.pixels(p, random)) for p in (mine[places], theirs[drawn]))
                losses.append(gan.step(a, b, rate, self._class_loss(label, judge, gamma) if judge else None))
        self.epoch += 1
        return torch.stack(losses).mean()

    def _class_loss(self, label: int, judge: Judge, gamma: float) -> Callable[[Tensor, Tensor], Tensor]:
        def loss(for_a: Tensor, for_b: Tensor) -> Tensor:
            labels = self.missing.new_full
            return judge(for_a, labels((len(for_a),), self.head)) + judge(for_b, labels((len(for_b),), label)) / gamma

        return loss

    def make(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Translate images of the largest class into classes ``labels`` [B]: uint8 [B, H, W, channels] to the same."""
        images, made = to_signed(pixels), torch.empty_like(pixels)
        for label, gan in self.gans.items():
            for places in (labels == label).nonzero()[:, 0].split(BATCH):
                made[places] = to_pixels(gan.translate(images[places])).round().clamp(0, 255).to(torch.uint8)
        return made

    def grown(self, split: Split, translate: bool) -> Split:
        """``split`` with images of the largest class behind the real ones, as many as each class lacks and under its label, each
        image of the largest class used as often as any other to within one. Class sizes count them too.

        Args:
            translate: now; otherwise they are translated when a batch is made.
        """
        mine, train = self.of_class[self.head], split.train
        sources = [mine[:0]]
        for label in self.gans:
            # From the start of the class's stream, whatever it was used for: the same sources at any stage of training.
            again = torch.Generator(mine.device).manual_seed(self.random[label].initial_seed() + 1)
            count = int(self.missing[label])
            drawn = [torch.randperm(len(mine), generator=again, device=mine.device) for _ in range(-(-count // len(mine)))]
            sources.append(mine[torch.cat(drawn)[:count]])
        labels = torch.arange(len(self.missing), device=mine.device).repeat_interleave(self.missing)
        pixels = train.pixels[torch.cat(sources)]
        if translate:
            pixels = self.make(pixels, labels)
        both = train.followed_by(Images(pixels, labels))
        return replace(split, train=both, counts=split.counts + self.missing, true_counts=split.counts)

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on."""
        finished = self.epoch == self.epochs
        return {
            "epoch": self.epoch,
            "gans": {c: gan.state(finished) for c, gan in self.gans.items()},
            "random": {c: random.get_state() for c, random in self.random.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.epoch = state["epoch"]
        for c, gan in self.gans.items():
            gan.restore(state["gans"][c])
            self.random[c].set_state(state["random"][c])


class TranslatorTraining:
    """The training of a `Translation` alone, as a `Trainable`. It has no classifier to evaluate, and its images do not count
    among the classifier's.
    """

    images_seen = 0

    def __init__(self, translation: Translation, epochs: int) -> None:
        self.translation, self.epochs = translation, epochs

    @property
    def epoch(self) -> int:
        return self.translation.epoch

    def run_epoch(self) -> float:
        """Train one epoch; returns the generators' mean loss."""
        return float(self.translation.run_epoch())

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "translation": self.translation.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.translation.restore(state["translation"])
