"""The operations of RandAugment on batches: from uint8 [n, H, W, channels] and one magnitude per image to uint8 of this shape.

The arithmetic is that of torchvision.transforms.v2.functional for the same parameters. Operations on whole numbers agree exactly
(equalize, posterize, solarize, translations); float32 may round to the neighbouring grey level, and a rotation or shear to the
neighbouring pixel. In a measurement on a CPU only color differed, in two values of ten thousand, because its grey level is a
matrix product.

Magnitudes are float32 [n], in the unit that each operation states. A pool says which operations are drawn, and how strong they
are (`lt_core.data.strong_pools`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

GREY = 127  # fills the place that an image was moved away from
Operation = Callable[[Tensor, Tensor], Tensor]


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _byte(values: Tensor) -> Tensor:
    return values.clamp(0, 255).to(torch.uint8)


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """``x`` at factor 1, ``other`` at 0, and beyond 1 further away from ``other``."""
    share = _each(factor)
    return _byte(x * share + other * (1 - share))


def _grey(x: Tensor) -> Tensor:
    """Grey levels of ``x``, [n, H, W, 1]: whole numbers, as floats."""
    if x.shape[3] == 1:
        return x.float()
    share = torch.tensor([0.2989, 0.587, 0.114]).to(x.device, non_blocking=True)  # new_tensor would wait for the device
    return (x.float() @ share).floor()[..., None]


def identity(x: Tensor, magnitude: Tensor) -> Tensor:
    return x


def invert(x: Tensor, magnitude: Tensor) -> Tensor:
    """The negative."""
    return 255 - x


def autocontrast(x: Tensor, magnitude: Tensor) -> Tensor:
    """Stretch each channel to 0…255; a channel with a single grey level does not change."""
    low, high = x.amin(dim=(1, 2), keepdim=True), x.amax(dim=(1, 2), keepdim=True)
    flat = low == high
    low, range_ = torch.where(flat, 0, low), torch.where(flat, 255, high - low)
    return _byte((x - low) / (range_ * (1 / 255)))


def equalize(x: Tensor, magnitude: Tensor) -> Tensor:
    """Flatten the histogram of each channel as PIL does, in whole numbers."""
    n, height, width, channels = x.shape
    flat = x.permute(0, 3, 1, 2).reshape(n * channels, height * width).long()
    histogram = torch.zeros(n * channels, 256, dtype=torch.int64, device=x.device).scatter_add_(1, flat, torch.ones_like(flat))
    last = histogram.gather(1, flat.amax(dim=1, keepdim=True))
    step = (height * width - last) // 255
    before = F.pad(histogram.cumsum(dim=1)[:, :-1], (1, 0))
    table = ((before + step // 2) // step.clamp_min(1)).clamp(0, 255)
    made = torch.where(step > 0, table.gather(1, flat), flat)
    return made.to(torch.uint8).reshape(n, channels, height, width).permute(0, 2, 3, 1).contiguous()


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """Move towards black below factor 1, away from it above."""
    return _byte(x * _each(factor))


def color(x: Tensor, factor: Tensor) -> Tensor:
    """Move towards grey below factor 1, away from it above; a single channel does not change."""
    return x if x.shape[3] == 1 else _blend(x, _grey(x), factor)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Move towards the image's mean grey below factor 1, away from it above."""
    return _blend(x, _grey(x).mean(dim=(1, 2, 3), keepdim=True), factor)


def sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """Move towards a 3×3 blur below factor 1, away from it above; the border does not change."""
    pixels = x.float()
    rows = pixels[:, :-2] + pixels[:, 1:-1] + pixels[:, 2:]
    inner = pixels[:, 1:-1, 1:-1]
    # The middle one of nine pixels counts five times. A thirteenth of a whole number is never halfway between two whole numbers.
    blurred = ((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner) / 13).round()
    inner += _each(1 - factor) * (blurred - inner)
    return _byte(pixels)


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """Clear all but the highest ``bits`` (0 to 8)."""
    return x & _each(256 - 2 ** (8 - bits.long())).to(torch.uint8)


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """Invert values at or above the threshold, 0 to 256."""
    return torch.where(x >= _each(threshold), 255 - x, x)


def solarize_add(x: Tensor, addition: Tensor) -> Tensor:
    """Add ``addition`` grey levels to values below 128."""
    return torch.where(x < 128, _byte(x + _each(addition)), x)


def add_and_solarize(x: Tensor, addition: Tensor) -> Tensor:
    """Add ``addition`` grey levels to all values, then invert those at or above 128."""
    brighter = _byte(x + _each(addition))
    return torch.where(brighter < 128, brighter, 255 - brighter)


def _move(x: Tensor, rows: list[list[Tensor | float]], fill: int) -> Tensor:
    """The pixel at (u, v) from the centre becomes the one nearest to ``rows`` [2][3] times (u, v, 1); outside is ``fill``."""
    n, height, width, _ = x.shape
    scale = ((1.0, height / width, 2 / width), (width / height, 1.0, 2 / height))

    def entry(a: Tensor | float, by: float) -> Tensor:  # a tensor made of a Python number would wait for the device
        return a * by if isinstance(a, Tensor) else torch.full((n,), a * by, device=x.device)

    matrix = torch.stack([torch.stack([entry(a, s) for a, s in zip(r, k, strict=True)], 1)
                          for r, k in zip(rows, scale, strict=True)], 1)  # fmt: skip
    grid = F.affine_grid(matrix.float(), [n, 1, height, width], align_corners=False)
    planes = x.permute(0, 3, 1, 2).float() - fill  # grid_sample fills with zeros, which become ``fill``
    return (F.grid_sample(planes, grid, mode="nearest", align_corners=False) + fill).permute(0, 2, 3, 1).to(torch.uint8)


def rotate(x: Tensor, degrees: Tensor, fill: int = GREY) -> Tensor:
    """Rotate anti-clockwise."""
    radians = degrees * (math.pi / 180)
    cos, sin = radians.cos(), radians.sin()
    return _move(x, [[cos, -sin, 0.0], [sin, cos, 0.0]], fill)


def shear_x(x: Tensor, slope: Tensor, fill: int = GREY) -> Tensor:
    return _move(x, [[1.0, slope, slope * x.shape[1] / 2], [0.0, 1.0, 0.0]], fill)


def shear_y(x: Tensor, slope: Tensor, fill: int = GREY) -> Tensor:
    return _move(x, [[1.0, 0.0, 0.0], [slope, 1.0, slope * x.shape[2] / 2]], fill)


def translate_x(x: Tensor, share: Tensor, fill: int = GREY) -> Tensor:
    """Move by a share of the width, rounded to whole pixels."""
    return _move(x, [[1.0, 0.0, (share * x.shape[2]).round()], [0.0, 1.0, 0.0]], fill)


def translate_y(x: Tensor, share: Tensor, fill: int = GREY) -> Tensor:
    """Move by a share of the height, rounded to whole pixels."""
    return _move(x, [[1.0, 0.0, 0.0], [0.0, 1.0, (share * x.shape[1]).round()]], fill)


def patch(x: Tensor, place: Tensor) -> Tensor:
    """Draw a grey square of a sixth of the height; ``place`` in 0…1 gives its row and, by the remaining digits, its column."""
    row = place * x.shape[1]
    return square(x, round(x.shape[1] / 6), torch.stack([row.floor(), (row % 1 * x.shape[2]).floor()]))


def square(x: Tensor, side: int, centres: Tensor) -> Tensor:
    """Draw a grey square of ``side`` pixels, cut off at the border, around the pixels ``centres`` [2, n] (row, column)."""
    covered = []
    for size, centre in zip(x.shape[1:3], centres, strict=True):
        start = centre - side // 2
        place = torch.arange(size, device=x.device)
        covered.append((place >= start[:, None]) & (place < start[:, None] + side))
    return x.masked_fill((covered[0][:, :, None] & covered[1][:, None, :])[..., None], GREY)
