"""Pixels that stay on disk: a batch's images are looked up when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lt_core.errors import UserError

#: Bytes of a trial's training, validation, unlabelled or test images beyond which they stay on disk. It is a number, and not what
#: a machine has left, so that a trial is the same everywhere.
IN_MEMORY = 2 * 2**30
_STRETCH = 1024  # images that lie in memory while all are gone through


class Stored:
    """Stands where a tensor uint8 [N, H, W, channels] stands, for what looks images up: by a slice, or by positions.

    What asks for all of them at once, or computes with them as a whole, is told so.

    Args:
        read: gives the images at positions, int64 [n], as an array uint8 [n, H, W, channels].
        positions: of the N images, for ``read``.
        shape: height, width and channels.
        device: where the images that are looked up go.
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

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n − 1) a channel in units of 0…1, float32 on the CPU; of exact sums."""
        channels, count = self.shape[3], len(self) * self.shape[1] * self.shape[2]
        total, squares = torch.zeros(2, channels, dtype=torch.int64)
        for start in range(0, len(self), _STRETCH):
            values = self[start : start + _STRETCH].reshape(-1, channels).long()
            total += values.sum(0).cpu()
            squares += (values * values).sum(0).cpu()
        mean = total.double() / count
        deviation = ((squares.double() - total * mean) / max(1, count - 1)).sqrt()
        return (mean / 255).float(), (deviation / 255).float()

    def _refuse(self) -> UserError:
        size = self.shape.numel() / 1e9
        return UserError(
            f"the method asks for all images at once, and {len(self):,} of them, {size:.1f} GB, stay on disk: take fewer (n_max, "
            "imbalance_factor), or a set of a smaller size"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refuse()

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """What torch asks in place of computing with it."""
        found = (item for a in arguments for item in (a if isinstance(a, list | tuple) else (a,)))
        raise next(item for item in found if isinstance(item, cls))._refuse()
