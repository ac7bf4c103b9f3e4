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
from lt_core.interruption import before_step
from lt_core.recipes import Recipe

_STREAM = 3_000_017  # apart from the seeds of other streams
#: (images in −1…1 as made [B, channels, H, W], their labels [B]) → a scalar.
Judge = Callable[[Tensor, Tensor], Tensor]


def filled(counts: Tensor, share: float) -> Tensor:
    """Class sizes [C] once every class has at least int(share · n_max) images."""
    return counts.clamp(min=int(share * float(counts.max())))


def smaller_to_fill(missing: Tensor, counts: Tensor) -> list[int]:
    """Classes that a CycleGAN is needed for: those that lack images, but for the largest (of equal ones the first).

    >>> smaller_to_fill(torch.tensor([5, 5, 0, 7]), torch.tensor([9, 9, 14, 7])), smaller_to_fill(torch.zeros(2), torch.ones(2))
    ([0, 1, 3], [])
    """
    head = int(counts.argmax())
    return [c for c in missing.nonzero()[:, 0].tolist() if c != head]


def to_signed(pixels: Tensor) -> Tensor:
    """uint8 [B, H, W, channels] to float32 [B, channels, H, W] in −1…1."""
    return (pixels.float() / 127.5 - 1).permute(0, 3, 1, 2)


def to_pixels(images: Tensor) -> Tensor:
    """The inverse of `to_signed`, as float32 0…255 that a gradient can pass: [B, H, W, channels]."""
    return (images.permute(0, 2, 3, 1) + 1) * 127.5


class Translation:
    """A CycleGAN between the largest class (the first of several) and each class that is to be filled up.

    The initialisation and training of each depend only on the seed and its class, not on the other classes.

    If the largest class itself is to be given images, they are made of the next largest's, by the generator that leads back.

    Args:
        missing: number of images to add to each class: [C].
        batch: images of each class in a step.
        epochs: in total; the learning rate falls linearly to 0 over the second half.
        dtype: to compute in, if that is not float32.
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
        smaller = smaller_to_fill(self.missing, split.counts)
        self.of_class = {c: (labels == c).nonzero()[:, 0] for c in [self.head, *smaller]}
        self.next = max(smaller, key=lambda c: float(split.counts[c]), default=self.head)
        self.seeds = {c: 1_000 * seed + c for c in self.of_class}
        seeds = {c: self.seeds[c] for c in smaller}
        self.gans = {c: CycleGAN(split.shape, config, s, device, dtype) for c, s in seeds.items()}
        #: What `make` makes; known here, since to ask the device in each step would make the host wait for it.
        self.filled = [*self.gans, *([self.head] if self.missing[self.head] else [])]
        self.random = {c: torch.Generator(device).manual_seed(_STREAM + s) for c, s in seeds.items()}
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
                before_step()
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
        """Translate images of `sources` into classes ``labels`` [B]: uint8 [B, H, W, channels] to the same."""
        images, made = to_signed(pixels), torch.empty_like(pixels)
        for label in self.filled:
            gan, back = self.gans[self.next if label == self.head else label], label == self.head
            for places in (labels == label).nonzero()[:, 0].split(BATCH):
                made[places] = to_pixels(gan.translate(images[places], back)).round().clamp(0, 255).to(torch.uint8)
        return made

    def sources(self, label: int) -> Tensor:
        """Positions of the images of which those of class ``label`` are made."""
        return self.of_class[self.next if label == self.head else self.head]

    def grown(self, split: Split, translate: bool) -> Split:
        """``split`` with images of another class behind the real ones, as many as each class lacks and under its label, each of
        its `sources` used as often as any other to within one. Class sizes remain those of the real images.

        Args:
            translate: now; otherwise they are translated when a batch is made.
        """
        train, device = split.train, self.missing.device
        sources = [self.of_class[self.head][:0]]
        for label in self.missing.nonzero()[:, 0].tolist():
            # From the start of a stream of the class's own: the same sources at any stage of training.
            again = torch.Generator(device).manual_seed(_STREAM + self.seeds[label] + 1)
            mine, count = self.sources(label), int(self.missing[label])
            drawn = [torch.randperm(len(mine), generator=again, device=device) for _ in range(-(-count // len(mine)))]
            sources.append(mine[torch.cat(drawn)[:count]])
        labels = torch.arange(len(self.missing), device=device).repeat_interleave(self.missing)
        pixels = train.pixels[torch.cat(sources)]
        if translate:
            pixels = self.make(pixels, labels)
        both = train.followed_by(Images(pixels, labels))
        return replace(split, train=both, made_counts=self.missing)

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
