"""Random resized crops and central crops of batches of pictures.

Sizes and rounding are those of torchvision's RandomResizedCrop, Resize and CenterCrop, bilinear with antialiasing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lt_core.data.draws import Numbers

_ATTEMPTS = 10  # attempts to find a box that lies within the picture
NUMBERS = 2 * _ATTEMPTS + 2  # random numbers that the box of a picture needs
_AT_ONCE = 64  # pictures whose float32 copies are in memory at once


def random_boxes(numbers: Numbers, height: int, width: int, area: Sequence[float], ratio: Sequence[float]) -> Tensor:
    """Top, left, height and width of one box per image, in pixels: int64 [B, 4].

    The box's share of the picture is uniform in ``area``, and the logarithm of width over height is uniform in that of ``ratio``.
    The first of ten such boxes that fits into the picture is taken; if none does, it is the largest central box with a ratio
    within bounds (Szegedy et al. 2015, section 6, as implemented in torchvision).
    """
    drawn = numbers.take(NUMBERS)
    share, place, tried = area[0] + (area[1] - area[0]) * drawn[:_ATTEMPTS], drawn[-2:], drawn[_ATTEMPTS:-2]
    low, high = math.log(ratio[0]), math.log(ratio[1])
    shape = (low + (high - low) * tried).exp()
    sizes = torch.stack([(height * width * share / shape).sqrt(), (height * width * share * shape).sqrt()]).round().long()
    limits = torch.tensor([height, width]).to(sizes.device, non_blocking=True)[:, None]
    fits = ((sizes > 0) & (sizes <= limits[..., None])).all(dim=0)
    first = fits.long().argmax(dim=0)
    box = sizes.gather(1, first.expand(2, 1, -1))[:, 0]
    whole = min(height, round(width / ratio[0])), min(width, round(height * ratio[1]))
    middle = torch.tensor(whole).to(sizes.device, non_blocking=True)[:, None]
    found = fits.any(dim=0)
    box = torch.where(found, box, middle)
    corner = torch.where(found, (place * (limits - box + 1)).long().minimum(limits - box), (limits - box) // 2)
    return torch.cat([corner, box]).T


def resampled(pixels: Tensor, boxes: Tensor, side: int, flipped: Tensor) -> Tensor:
    """The content of the ``boxes`` [B, 4] of ``pixels`` uint8 [B, H, W, channels], scaled, and mirrored where ``flipped`` [B]:
    uint8 [B, side, side, channels].
    """
    return (_one_by_one if pixels.device.type == "cpu" else _together)(pixels, boxes, side, flipped)


def _one_by_one(pixels: Tensor, boxes: Tensor, side: int, flipped: Tensor) -> Tensor:
    """`resampled` on a CPU, whose kernel for a picture of bytes is twelve times as fast as products of matrices. The kernel uses
    one thread, so each of as many threads as torch has is given pictures of its own.
    """
    made = np.empty((len(pixels), side, side, pixels.shape[3]), dtype=np.uint8)

    def place(number: int, picture: Tensor, corners: list[int], mirror: bool) -> None:
        top, left, height, width = corners
        box = picture[top : top + height, left : left + width].permute(2, 0, 1)[None]
        scaled = F.interpolate(box, (side, side), mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
        made[number] = scaled[:, ::-1] if mirror else scaled

    work = range(len(pixels)), pixels, boxes.tolist(), flipped.tolist()
    if torch.get_num_threads() == 1:
        list(map(place, *work))
    else:
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            list(threads.map(place, *work))
    return torch.from_numpy(made)


def _together(pixels: Tensor, boxes: Tensor, side: int, flipped: Tensor) -> Tensor:
    """`resampled` as two products with matrices of weights, so that the host neither waits nor launches kernels by picture."""
    made = []
    for some, its, mirror in zip(*(t.split(_AT_ONCE) for t in (pixels, boxes, flipped)), strict=True):
        planes = some.permute(0, 3, 1, 2).float()
        rows = _weights(its[:, 0], its[:, 2], side, some.shape[1])[:, None]
        columns = _weights(its[:, 1], its[:, 3], side, some.shape[2])
        columns = torch.where(mirror[:, None, None], columns.flip(1), columns)[:, None]
        made.append((rows @ planes @ columns.mT).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(made)


def _weights(start: Tensor, length: Tensor, side: int, size: int) -> Tensor:
    """Weights of the ``size`` old pixels in each of the ``side`` new ones, which cover ``length`` old pixels from ``start`` on:
    [B, side, size].

    The weights form a triangle around the centre of the new pixel. It reaches as far as the new pixel is wide, but at least one
    old pixel, to either side.
    """
    scale = length[:, None, None] / side
    pixel = torch.arange(size, device=start.device)
    centre = (torch.arange(side, device=start.device)[:, None] + 0.5) * scale + start[:, None, None]
    share = (1 - (pixel + 0.5 - centre).abs() / scale.clamp_min(1)).clamp_min(0)
    share *= (pixel >= start[:, None, None]) & (pixel < (start + length)[:, None, None])
    return share / share.sum(dim=2, keepdim=True)


def centre(pixels: Tensor, resize: int, side: int) -> Tensor:
    """The central square of ``side`` pixels of ``pixels`` uint8 [B, H, W, channels] after the shorter side was scaled to
    ``resize``: uint8 [B, side, side, channels]. Pictures that already have that size are not scaled.
    """
    height, width = pixels.shape[1:3]
    shorter = min(height, width)
    if shorter != resize:
        height, width = (resize * size // shorter for size in (height, width))
        planes = pixels.permute(0, 3, 1, 2)
        planes = planes if pixels.device.type == "cpu" else planes.float()  # the kernel for GPUs does not accept bytes
        scaled = F.interpolate(planes, (height, width), mode="bilinear", antialias=True)
        pixels = (scaled.round().clamp(0, 255).to(torch.uint8) if scaled.is_floating_point() else scaled).permute(0, 2, 3, 1)
    top, left = (round((size - side) / 2) for size in (height, width))
    return pixels[:, top : top + side, left : left + side]
