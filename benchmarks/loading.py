"""Loading photographs: augmented images per second from pictures that were decoded once, compared with the usual recipe, which
decodes each picture every time. Nothing is trained.

    python benchmarks/loading.py pictures/train

ours   pictures are decoded once (`bench.py data add --size 256`), and batches are read from the memory-mapped file, cropped,
       scaled, mirrored and normalised by `lt_core.data.loader.Batches` in the one process that would train
usual  DataLoader, ImageFolder, PIL, and torchvision's RandomResizedCrop, RandomHorizontalFlip, ToTensor and Normalize, in as many
       worker processes as ours has threads

Both first go through all pictures once, so that the files are in the page cache, and then take turns in rounds; every other round
goes backwards. A ratio is the median of the rounds' ratios. Neither the start of the usual recipe's workers nor batches that were
ready before the clock started are counted. The cost of decoding once is printed too. many_files.py measures what it takes to
start with 100,000 files.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import Spread, busy, busy_note, machine, parser, print_table, taking_turns, write_json
from torch import Tensor

from lt_core.data.crops import random_boxes, resampled
from lt_core.data.loader import Batches, Images
from lt_core.data.pictures.layouts import in_order
from lt_core.data.pictures.making import gigabytes, make, pictures_dir
from lt_core.data.pictures.source import layout_at
from lt_core.data.stored import Stored
from lt_core.errors import UserError
from lt_core.recipes import RECIPES, Recipe

CPU = torch.device("cpu")
Way = Callable[[int], Iterator[Tensor]]  # number of images → batches


class Ours:
    """Loading as lt_core does, from the pictures of ``folder``, which are decoded into the cache first."""

    def __init__(self, folder: Path, recipe: Recipe, size: int) -> None:
        layout = layout_at(str(folder), "train")
        start = time.perf_counter()
        key = make([("train", layout)], size, lambda done, total: None)
        self.decode_rate = len(layout.entries) / (time.perf_counter() - start)
        pixels = np.load(pictures_dir() / key / "pixels.npy", mmap_mode="r")
        names = in_order([entry.label for entry in layout.entries])
        labels = torch.tensor([names.index(entry.label) for entry in layout.entries])
        stored = Stored(lambda at: pixels[at], np.arange(len(pixels)), pixels.shape[1:], CPU)
        self.batches, self.recipe = Batches(Images(stored, labels), recipe), recipe  # type: ignore[arg-type]
        self.order, self.augment = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)

    def __call__(self, images: int) -> Iterator[Tensor]:
        for positions in self._order(images).split(self.recipe.batch_size):
            yield self.batches.train(positions, self.augment)[0]

    def _order(self, images: int) -> Tensor:
        count = len(self.batches.labels)
        return torch.cat([torch.randperm(count, generator=self.order) for _ in range(1 + images // count)])[:images]

    def parts(self) -> dict[str, float]:
        """Milliseconds per image for each part of making a batch."""
        recipe, batches = self.recipe, self.batches
        positions = self._order(recipe.batch_size)
        stored = batches.source[positions]
        numbers = batches.draws.numbers(positions, 0)
        boxes = random_boxes(numbers, *stored.shape[1:3], recipe.crop_area, recipe.crop_ratio)
        flipped = numbers.take(1)[0] < 0.5
        cropped = resampled(stored, boxes, recipe.crop, flipped)
        timed = {
            "look up": lambda: batches.source[positions],
            "draw": lambda: random_boxes(
                batches.draws.numbers(positions, 0), *stored.shape[1:3], recipe.crop_area, recipe.crop_ratio
            ),
            "crop and scale": lambda: resampled(stored, boxes, recipe.crop, flipped),
            "change colours": lambda: [change(cropped, batches.draws.numbers(positions, 0)) for change in batches.changes],
            "normalise": lambda: batches.normalise(cropped),
        }
        return {name: milliseconds(part, recipe.batch_size) for name, part in timed.items()}


class Usual:
    """Loading as most public code does."""

    def __init__(self, folder: Path, recipe: Recipe, workers: int) -> None:
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        self.first = [
            transforms.RandomResizedCrop(recipe.crop, recipe.crop_area, recipe.crop_ratio),
            transforms.RandomHorizontalFlip(),
            *([transforms.ColorJitter(*recipe.jitter)] if any(recipe.jitter) else []),
        ]
        self.last = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
        self.pictures = ImageFolder(str(folder), transforms.Compose([*self.first, *self.last]))
        self.batch_size, self.workers = recipe.batch_size, workers

    def __call__(self, images: int) -> Iterator[Tensor]:
        """Also load one batch before these, and after them as many as the workers prepare in advance, which are not returned."""
        batch, ahead = self.batch_size, 2 * self.workers  # DataLoader's prefetch_factor is 2
        sizes = [batch, *[min(batch, images - start) for start in range(0, images, batch)], *[batch] * ahead]
        passes = 1 + sum(sizes) // len(self.pictures)
        order = torch.cat([torch.randperm(len(self.pictures)) for _ in range(passes)])[: sum(sizes)]
        loader = torch.utils.data.DataLoader(
            self.pictures, batch_sampler=[p.tolist() for p in order.split(sizes)], num_workers=self.workers
        )
        batches = iter(loader)
        next(batches)
        for _ in sizes[1 : len(sizes) - ahead]:
            yield next(batches)[0]

    def parts(self) -> dict[str, float]:
        """Milliseconds per image for each part of a worker's job, in one process."""
        from torchvision import transforms

        first, last = (transforms.Compose(some) for some in (self.first, self.last))
        paths = [self.pictures.samples[n][0] for n in np.linspace(0, len(self.pictures) - 1, self.batch_size).astype(int)]
        decoded = [self.pictures.loader(path) for path in paths]
        changed = [first(picture) for picture in decoded]
        made = [last(picture) for picture in changed]
        timed = {
            "read and decode": lambda: [self.pictures.loader(path) for path in paths],
            "crop, scale and change": lambda: [first(picture) for picture in decoded],
            "to tensor and normalise": lambda: [last(picture) for picture in changed],
            "make a batch": lambda: torch.stack(made),
        }
        return {name: milliseconds(part, self.batch_size) for name, part in timed.items()}


def milliseconds(part: Callable[[], object], images: int) -> float:
    """Milliseconds per image: the median of seven calls of ``part``, after one to warm up."""
    part()
    taken = []
    for _ in range(7):
        start = time.perf_counter()
        part()
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken) / images


def rate_of(way: Way, images: int) -> float:
    """Images per second after the first batch, which is not counted."""
    batches, seen = way(images), 0
    start = None
    for batch in batches:
        if start is None:
            start = time.perf_counter()  # the first batch is ready and is not counted
            continue
        seen += len(batch)
    assert start is not None
    return seen / (time.perf_counter() - start)


def bounded_by(parts: dict[str, float]) -> str:
    """A description of the largest part."""
    name = max(parts, key=parts.__getitem__)
    return f"{name}, {100 * parts[name] / sum(parts.values()):.0f} % of {sum(parts.values()):.2f} ms per image"


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.workers)
    recipe = replace(RECIPES["imagenet_lt_90"], crop=options.crop, batch_size=options.batch_size, jitter=(options.jitter,) * 3)
    about = {**machine("cpu"), "busy_before": busy()}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LT_CACHE"] = cache
        ours = Ours(options.folder, recipe, options.size)
        usual = Usual(options.folder, recipe, options.workers)
        pictures = len(usual.pictures)
        images = options.images or pictures
        ways: dict[str, Way] = {"ours": ours, "usual": usual}
        for way in ways.values():
            rate_of(way, max(pictures, 2 * recipe.batch_size))
        turns = {name: partial(rate_of, way, images + recipe.batch_size) for name, way in ways.items()}
        measured = taking_turns(turns, options.rounds)
        parts = {"ours": ours.parts(), "usual": usual.parts()}
    rates = {name: Spread(tuple(values)) for name, values in measured.items()}
    ratio = Spread(tuple(a / b for a, b in zip(measured["ours"], measured["usual"], strict=True)))
    room = gigabytes(pictures, options.size)
    # The number of passes after which decoding once has paid for itself.
    saved = 1 / rates["usual"].median - 1 / rates["ours"].median
    passes = 1 / ours.decode_rate / saved if saved > 0 else None
    paid = "never paid back" if passes is None else f"paid back after {passes:.1f} passes"
    print_table(
        f"photographs of {options.crop} pixels, images/s, {pictures:,} pictures, batches of {recipe.batch_size}",
        ["", "n", "median", "min..max"],
        [
            *[[name, *rate.cells()] for name, rate in rates.items()],
            ["ours / usual", *ratio.cells(2)],
        ],
        [
            f"decoded once at {options.size} pixels: {ours.decode_rate:,.0f} images/s, {room:.2f} GB; {paid}",
            f"ours: {options.workers} thread(s), no workers; usual: {options.workers} worker(s)",
        ],
    )
    for name, its in parts.items():
        total = sum(its.values())
        print_table(
            f"what bounds {name}, part by part, on one thread: {bounded_by(its)}",
            ["", "ms per image", "share"],
            [[part, f"{value:.3f}", f"{100 * value / total:.1f} %"] for part, value in its.items()],
            busy_note(about) if name == "usual" else [],
        )
    write_json(
        options.json,
        {
            **{name: rate.median for name, rate in rates.items()},
            "ratio": ratio.median,
            "rounds": {name: list(rate.values) for name, rate in rates.items()},
            "decoded_once": ours.decode_rate,
            "gigabytes": room,
            "paid_back_after": passes,
            "pictures": pictures,
            "crop": options.crop,
            "size": options.size,
            "jitter": options.jitter,
            "batch_size": recipe.batch_size,
            "workers": options.workers,
            "milliseconds": parts,
            "bounded_by": {name: bounded_by(its) for name, its in parts.items()},
            **about,
        },
    )


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("folder", type=Path, help="a folder with one folder of pictures per class")
    made.add_argument(
        "--size", type=int, default=256, metavar="N", help="size in pixels at which pictures are stored (default 256)"
    )
    made.add_argument("--crop", type=int, default=224, metavar="N", help="size of a crop in pixels (default 224)")
    made.add_argument(
        "--jitter", type=float, default=0.0, metavar="X", help="largest change of brightness, contrast and saturation (default 0)"
    )
    made.add_argument("--batch-size", type=int, default=64, metavar="N", help="images per batch (default 64)")
    made.add_argument("--images", type=int, metavar="N", help="images per round [default: all pictures once]")
    made.add_argument(
        "--workers", type=int, default=1, metavar="N", help="workers of the usual recipe, and threads of ours (default 1)"
    )
    made.add_argument("--rounds", type=int, default=5, metavar="N", help="number of rounds (default 5)")
    options = made.parse_args()
    if not options.folder.is_dir():
        made.error(f"{options.folder} is not a folder")
    if min(options.rounds, options.workers, options.batch_size, options.size, options.crop) < 1 or (options.images or 1) < 1:
        made.error("--rounds, --workers, --batch-size, --size, --crop and --images must be at least 1")
    return options


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
