"""The operations of RandAugment on batches: uint8 [n, H, W, channels] and a magnitude each to uint8 of the same shape.

The arithmetic is that of torchvision.transforms.v2.functional for the same parameters. Whole numbers agree exactly (equalize,
posterize, solarize, translations); float32 may round to the neighbouring grey level, and a turn or shear to the neighbouring
pixel. Measured on a CPU, color alone differed: two values in ten thousand, its grey level being a matrix product.

Magnitudes are float32 [n]; each operation says in which unit. Which of them are drawn, and how strong, is a pool's business
(`lt_core.data.strong_pools`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

GREY = 127  # where an image was moved away from
Operation = Callable[[Tensor, Tensor], Tensor]


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _byte(values: Tensor) -> Tensor:
    return values.clamp(0, 255).to(torch.uint8)


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """At factor 1 ``x``, at 0 ``other``, beyond 1 further away from it."""
    share = _each(factor)
    return _byte(x * share + other * (1 - share))


def _grey(x: Tensor) -> Tensor:
    """[n, H, W, 1], whole numbers in float."""
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
    """Each channel stretched to 0…255; one of a single grey level stays."""
    low, high = x.amin(dim=(1, 2), keepdim=True), x.amax(dim=(1, 2), keepdim=True)
    flat = low == high
    low, range_ = torch.where(flat, 0, low), torch.where(flat, 255, high - low)
    return _byte((x - low) / (range_ * (1 / 255)))


def equalize(x: Tensor, magnitude: Tensor) -> Tensor:
    """Each channel's histogram made flat, as PIL does it in whole numbers."""
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
    """Towards black below factor 1, away from it above."""
    return _byte(x * _each(factor))


def color(x: Tensor, factor: Tensor) -> Tensor:
    """Towards grey below factor 1; nothing to do on one channel."""
    return x if x.shape[3] == 1 else _blend(x, _grey(x), factor)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Towards the image's mean grey below factor 1."""
    return _blend(x, _grey(x).mean(dim=(1, 2, 3), keepdim=True), factor)


def sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """Towards a 3×3 blur below factor 1; the border stays."""
    pixels = x.float()
    rows = pixels[:, :-2] + pixels[:, 1:-1] + pixels[:, 2:]
    inner = pixels[:, 1:-1, 1:-1]
    # Nine pixels, the middle one five times: a thirteenth of a whole number is never halfway between two.
    blurred = ((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner) / 13).round()
    inner += _each(1 - factor) * (blurred - inner)
    return _byte(pixels)


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """All but the highest ``bits`` (0 to 8) cleared."""
    return x & _each(256 - 2 ** (8 - bits.long())).to(torch.uint8)


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """What is as bright as the threshold, 0 to 256, inverted."""
    return torch.where(x >= _each(threshold), 255 - x, x)


def solarize_add(x: Tensor, addition: Tensor) -> Tensor:
    """What is darker than 128 made brighter by ``addition`` grey levels."""
    return torch.where(x < 128, _byte(x + _each(addition)), x)


def add_and_solarize(x: Tensor, addition: Tensor) -> Tensor:
    """Everything made brighter by ``addition`` grey levels, then what is as bright as 128 inverted."""
    brighter = _byte(x + _each(addition))
    return torch.where(brighter < 128, brighter, 255 - brighter)


def _move(x: Tensor, rows: list[list[Tensor | float]], fill: int) -> Tensor:
    """Pixel (u, v) from the centre takes what is at the ``rows`` [2][3] times (u, v, 1): nearest pixel, ``fill`` outside."""
    n, height, width, _ = x.shape
    scale = ((1.0, height / width, 2 / width), (width / height, 1.0, 2 / height))

    def entry(a: Tensor | float, by: float) -> Tensor:  # a tensor made of a Python number would wait for the device
        return a * by if isinstance(a, Tensor) else torch.full((n,), a * by, device=x.device)

    matrix = torch.stack([torch.stack([entry(a, s) for a, s in zip(r, k, strict=True)], 1)
                          for r, k in zip(rows, scale, strict=True)], 1)  # fmt: skip
    grid = F.affine_grid(matrix.float(), [n, 1, height, width], align_corners=False)
    planes = x.permute(0, 3, 1, 2).float() - fill  # zero outside is the fill
    return (F.grid_sample(planes, grid, mode="nearest", align_corners=False) + fill).permute(0, 2, 3, 1).to(torch.uint8)


def rotate(x: Tensor, degrees: Tensor, fill: int = GREY) -> Tensor:
    """Anti-clockwise."""
    radians = degrees * (math.pi / 180)
    cos, sin = radians.cos(), radians.sin()
    return _move(x, [[cos, -sin, 0.0], [sin, cos, 0.0]], fill)


def shear_x(x: Tensor, slope: Tensor, fill: int = GREY) -> Tensor:
    return _move(x, [[1.0, slope, slope * x.shape[1] / 2], [0.0, 1.0, 0.0]], fill)


def shear_y(x: Tensor, slope: Tensor, fill: int = GREY) -> Tensor:
    return _move(x, [[1.0, 0.0, 0.0], [slope, 1.0, slope * x.shape[2] / 2]], fill)


def translate_x(x: Tensor, share: Tensor, fill: int = GREY) -> Tensor:
    """By a share of the width, to whole pixels."""
    return _move(x, [[1.0, 0.0, (share * x.shape[2]).round()], [0.0, 1.0, 0.0]], fill)


def translate_y(x: Tensor, share: Tensor, fill: int = GREY) -> Tensor:
    """By a share of the height, to whole pixels."""
    return _move(x, [[1.0, 0.0, 0.0], [0.0, 1.0, (share * x.shape[1]).round()]], fill)


def patch(x: Tensor, place: Tensor) -> Tensor:
    """A grey square of a sixth of the height; ``place`` in 0…1 is read as a row and, from the digits behind it, a column."""
    row = place * x.shape[1]
    return square(x, round(x.shape[1] / 6), torch.stack([row.floor(), (row % 1 * x.shape[2]).floor()]))


def square(x: Tensor, side: int, centres: Tensor) -> Tensor:
    """A grey square of ``side`` pixels, cut off at the border, around the pixels ``centres`` [2, n] (row, column)."""
    covered = []
    for size, centre in zip(x.shape[1:3], centres, strict=True):
        start = centre - side // 2
        place = torch.arange(size, device=x.device)
        covered.append((place >= start[:, None]) & (place < start[:, None] + side))
    return x.masked_fill((covered[0][:, :, None] & covered[1][:, None, :])[..., None], GREY)
