"""The operations of RandAugment on batches: uint8 [n, H, W, channels] and a strength each to uint8 of the same shape.

The arithmetic is that of torchvision.transforms.v2.functional for the same parameters. Whole numbers agree exactly (equalize,
posterize, solarize, translations); float32 may round to the neighbouring grey level, and a turn or shear to the neighbouring
pixel. Measured on a CPU, color alone differed: two values in ten thousand, its grey level being a matrix product.

Strengths are float32 [n] in 0…1; each operation says what it makes of them (ranges of FixMatch's public code).
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


def factor(strength: Tensor) -> Tensor:
    """Blending factor, 0.05 to 0.95: at 1 an image would stay as it is."""
    return 0.05 + 0.9 * strength


def _blend(x: Tensor, other: Tensor, strength: Tensor) -> Tensor:
    share = _each(factor(strength))
    return _byte(x * share + other * (1 - share))


def _grey(x: Tensor) -> Tensor:
    """[n, H, W, 1], whole numbers in float."""
    if x.shape[3] == 1:
        return x.float()
    share = torch.tensor([0.2989, 0.587, 0.114]).to(x.device, non_blocking=True)  # new_tensor would wait for the device
    return (x.float() @ share).floor()[..., None]


def identity(x: Tensor, strength: Tensor) -> Tensor:
    return x


def autocontrast(x: Tensor, strength: Tensor) -> Tensor:
    """Each channel stretched to 0…255; one of a single grey level stays."""
    low, high = x.amin(dim=(1, 2), keepdim=True), x.amax(dim=(1, 2), keepdim=True)
    flat = low == high
    low, range_ = torch.where(flat, 0, low), torch.where(flat, 255, high - low)
    return _byte((x - low) / (range_ * (1 / 255)))


def equalize(x: Tensor, strength: Tensor) -> Tensor:
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


def brightness(x: Tensor, strength: Tensor) -> Tensor:
    """Towards black."""
    return _byte(x * _each(factor(strength)))


def color(x: Tensor, strength: Tensor) -> Tensor:
    """Towards grey; nothing to do on one channel."""
    return x if x.shape[3] == 1 else _blend(x, _grey(x), strength)


def contrast(x: Tensor, strength: Tensor) -> Tensor:
    """Towards the image's mean grey."""
    return _blend(x, _grey(x).mean(dim=(1, 2, 3), keepdim=True), strength)


def sharpness(x: Tensor, strength: Tensor) -> Tensor:
    """Towards a 3×3 blur; the border stays."""
    pixels = x.float()
    rows = pixels[:, :-2] + pixels[:, 1:-1] + pixels[:, 2:]
    inner = pixels[:, 1:-1, 1:-1]
    # Nine pixels, the middle one five times: a thirteenth of a whole number is never halfway between two.
    blurred = ((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner) / 13).round()
    inner += _each(1 - factor(strength)) * (blurred - inner)
    return _byte(pixels)


def bits(strength: Tensor) -> Tensor:
    """4 to 8."""
    return 4 + (strength * 5).long().clamp_max(4)


def posterize(x: Tensor, strength: Tensor) -> Tensor:
    """The lowest bits cleared."""
    return x & _each(256 - 2 ** (8 - bits(strength))).to(torch.uint8)


def threshold(strength: Tensor) -> Tensor:
    """0 to 255."""
    return (strength * 256).floor().clamp_max(255)


def solarize(x: Tensor, strength: Tensor) -> Tensor:
    """What is as bright as the threshold inverted."""
    return torch.where(x >= _each(threshold(strength)).to(torch.uint8), 255 - x, x)


def _move(x: Tensor, rows: list[list[Tensor | float]]) -> Tensor:
    """Pixel (u, v) from the centre takes what is at the ``rows`` [2][3] times (u, v, 1): nearest pixel, grey outside."""
    n, height, width, _ = x.shape
    scale = ((1.0, height / width, 2 / width), (width / height, 1.0, 2 / height))

    def entry(a: Tensor | float, by: float) -> Tensor:  # a tensor made of a Python number would wait for the device
        return a * by if isinstance(a, Tensor) else torch.full((n,), a * by, device=x.device)

    matrix = torch.stack([torch.stack([entry(a, s) for a, s in zip(r, k, strict=True)], 1)
                          for r, k in zip(rows, scale, strict=True)], 1)  # fmt: skip
    grid = F.affine_grid(matrix.float(), [n, 1, height, width], align_corners=False)
    planes = x.permute(0, 3, 1, 2).float() - GREY  # zero outside is grey
    return (F.grid_sample(planes, grid, mode="nearest", align_corners=False) + GREY).permute(0, 2, 3, 1).to(torch.uint8)


def angle(strength: Tensor) -> Tensor:
    """±30 degrees, anti-clockwise."""
    return 60 * strength - 30


def rotate(x: Tensor, strength: Tensor) -> Tensor:
    radians = angle(strength) * (math.pi / 180)
    cos, sin = radians.cos(), radians.sin()
    return _move(x, [[cos, -sin, 0.0], [sin, cos, 0.0]])


def slope(strength: Tensor) -> Tensor:
    """±0.3: of shears, and of translations in units of the side."""
    return 0.6 * strength - 0.3


def shear_x(x: Tensor, strength: Tensor) -> Tensor:
    v = slope(strength)
    return _move(x, [[1.0, v, v * x.shape[1] / 2], [0.0, 1.0, 0.0]])


def shear_y(x: Tensor, strength: Tensor) -> Tensor:
    v = slope(strength)
    return _move(x, [[1.0, 0.0, 0.0], [v, 1.0, v * x.shape[2] / 2]])


def translate_x(x: Tensor, strength: Tensor) -> Tensor:
    return _move(x, [[1.0, 0.0, (slope(strength) * x.shape[2]).round()], [0.0, 1.0, 0.0]])


def translate_y(x: Tensor, strength: Tensor) -> Tensor:
    return _move(x, [[1.0, 0.0, 0.0], [0.0, 1.0, (slope(strength) * x.shape[1]).round()]])


#: The pool of FixMatch's RandAugment.
OPERATIONS: tuple[Operation, ...] = (
    identity, autocontrast, equalize, brightness, color, contrast, sharpness, posterize, solarize,
    rotate, shear_x, shear_y, translate_x, translate_y,
)  # fmt: skip
