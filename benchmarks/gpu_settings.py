"""Other settings of the libraries than ours, to measure what ours cost. Trainings are made and run in a block with a setting.

Use a separate process for each setting, because cuDNN keeps its choice for a convolution until the process ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from lt_core.training.loop import Training

Setting = Callable[[], AbstractContextManager[object]]


@contextmanager
def cudnn(**flags: bool) -> Iterator[None]:
    """Set other flags of cuDNN than ours."""
    before = {name: getattr(torch.backends.cudnn, name) for name in flags}
    for name, value in flags.items():
        setattr(torch.backends.cudnn, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)


def search() -> AbstractContextManager[object]:
    """Let cuDNN time its kernels and take the fastest."""
    return cudnn(benchmark=True)


@contextmanager
def any_order() -> Iterator[None]:
    """Allow kernels that sum in any order."""
    torch.use_deterministic_algorithms(False)
    try:
        with cudnn(deterministic=False):
            yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


def norms_by_torch() -> AbstractContextManager[object]:
    """Use torch's own kernels for batch norm instead of cuDNN's."""
    plain = nn.BatchNorm2d.forward

    def forward(self: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
        with torch.backends.cudnn.flags(enabled=False, deterministic=True):
            return plain(self, x)

    return patch.object(nn.BatchNorm2d, "forward", forward)


def channels_first() -> AbstractContextManager[object]:
    """Store images and weights in the order channels, rows, columns."""
    return patch.object(torch, "channels_last", torch.contiguous_format)


def compiled() -> AbstractContextManager[object]:
    """Compile the network with torch.compile."""
    plain = Training.__init__

    def make(self: Training, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self.model.backbone.forward = torch.compile(self.model.backbone.forward)  # type: ignore[method-assign]

    return patch.object(Training, "__init__", make)


_ALL: tuple[Setting, ...] = (search, any_order, norms_by_torch, channels_first, compiled)
NAMES = {setting.__name__: setting for setting in _ALL}


@contextmanager
def settings(named: str) -> Iterator[None]:
    """Apply the settings in ``named``, joined by +; with an empty name, ours stay."""
    with ExitStack() as stack:
        for name in filter(None, named.split("+")):
            stack.enter_context(NAMES[name]())
        yield
