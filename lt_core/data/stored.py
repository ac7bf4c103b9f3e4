"""Pixels that stay on disk: the images of a batch are read when the batch is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lt_core.errors import UserError

#: Bytes of a trial's training, validation, unlabelled or test images beyond which these stay on disk, if they would be in the
#: machine's memory or in a GPU's. The limits do not depend on free memory, so that a trial is the same everywhere.
IN_MEMORY, ON_GPU = 2**28, 2**31
_AT_ONCE = 2**20  # values that are processed at once; each takes sixteen bytes while squares are summed


def stays_on_disk(size: int, device: torch.device) -> bool:
    """Whether ``size`` bytes of images stay on disk instead of being copied to ``device``."""
    return size > (IN_MEMORY if device.type == "cpu" else ON_GPU)


def copied(
    read: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, shape: tuple[int, int, int], device: torch.device
) -> Tensor:
    """The images at ``positions`` on ``device``, uint8 [N, H, W, channels]; the arguments are those of `Stored`."""
    made = torch.empty((len(positions), *shape), dtype=torch.uint8, device=device)
    for part in _stretches(made):
        made[part] = torch.from_numpy(read(positions[part])).to(device)
    return made


def moments(images: Tensor | Stored) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n − 1) of each channel of images uint8 [N, H, W, channels], for values scaled to 0…1: float32
    on the CPU.

    They are computed from exact sums, some images at a time.
    """
    channels, count = images.shape[3], images.shape[:3].numel()
    total, squares = torch.zeros(2, channels, dtype=torch.int64)
    for part in _stretches(images):
        values = images[part].reshape(-1, channels).long()
        total += values.sum(0).cpu()
        squares += (values * values).sum(0).cpu()
    sums = list(zip(total.tolist(), squares.tolist(), strict=True))
    mean = [first / count / 255 for first, _ in sums]
    # Python's whole numbers have any size, so no digits are lost by cancellation.
    deviation = [math.sqrt((count * second - first * first) / (count * max(1, count - 1))) / 255 for first, second in sums]
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32)


def _stretches(images: Tensor | Stored) -> Iterator[slice]:
    count = max(1, _AT_ONCE // max(1, images.shape[1:].numel()))
    return (slice(start, start + count) for start in range(0, len(images), count))


class Stored:
    """Takes the place of a tensor uint8 [N, H, W, channels] for code that looks images up by slice or by position.

    Code that needs all images at once gets an error that says so.

    Args:
        read: positions, int64 [n] → the images there, an array uint8 [n, H, W, channels].
        positions: those of the N images, for ``read``.
        shape: height, width and channels.
        device: where looked-up images go.
    """

    dtype = torch.uint8

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        positions: np.ndarray,
        shape: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        self.read, self.positions, self.device = read, positions, device
        self.shape = torch.Size((len(positions), *shape))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, at: slice | Tensor) -> Tensor:
        wanted = self.positions[at if isinstance(at, slice) else at.cpu().numpy()]
        return torch.from_numpy(self.read(wanted)).to(self.device)

    def is_floating_point(self) -> bool:
        return False

    def _refuse(self) -> UserError:
        size = self.shape.numel() / 1e9
        return UserError(
            f"the method needs all {len(self):,} images in memory at once, but their {size:.1f} GB stay on disk: use fewer "
            "images (n_max, imbalance_factor), or a set with smaller pictures"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refuse()

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """Torch calls this instead of computing with such an object."""
        found = (item for a in arguments for item in (a if isinstance(a, list | tuple) else (a,)))
        raise next(item for item in found if isinstance(item, cls))._refuse()
