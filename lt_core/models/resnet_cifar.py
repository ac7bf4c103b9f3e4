"""Residual networks for 32×32 images (He et al. 2016, section 4.2): depth 6n + 2, widths 16-32-64, parameter-free shortcuts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.errors import unknown
from lt_core.models.registry import MODELS, Backbone, ModelInfo

_SHORTCUTS = ("slice", "avgpool")


class Block(nn.Module):
    """Two 3×3 convolutions around an option-A shortcut: subsample the image, pad the channels with zeros."""

    def __init__(self, width_in: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.stride, self.extra, self.shortcut = stride, width - width_in, shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu_()
        y = self.norm2(self.conv2(y))
        if self.stride > 1:
            # Idelbayev's port takes every second pixel; Cui et al.'s code averages 2×2.
            x = x[:, :, :: self.stride, :: self.stride] if self.shortcut == "slice" else F.avg_pool2d(x, self.stride)
        if self.extra:
            x = F.pad(x, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))
        out: Tensor = y.add_(x).relu_()  # in place: batch norm's backward does not need its output
        return out


class ResNetCIFAR(Backbone):
    """A residual network with ``depth`` = 6n + 2 layers; ``shortcut`` is ``slice`` or ``avgpool``."""

    captured = True

    width = 64

    def __init__(self, depth: int, channels: int, shortcut: str = "slice") -> None:
        super().__init__()
        if shortcut not in _SHORTCUTS:
            raise unknown("shortcut", shortcut, _SHORTCUTS, f"resnet{depth}")
        blocks = (depth - 2) // 6
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.groups, width_in = nn.ModuleList(), 16
        for stage, width in enumerate((16, 32, 64)):
            group = nn.Sequential()
            for i in range(blocks):
                group.append(Block(width_in, width, 2 if stage and i == 0 else 1, shortcut))
                width_in = width
            self.groups.append(group)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def begin(self, images: Tensor) -> Tensor:
        out: Tensor = self.norm(self.stem(images)).relu_()
        return out


def _register(depth: int) -> None:
    def build(shape: tuple[int, int, int], shortcut: str = "slice") -> ResNetCIFAR:
        return ResNetCIFAR(depth, shape[2], shortcut)

    about = f"{depth}-layer residual network for 32×32 images, option-A shortcuts (slice or avgpool)"
    MODELS.add(f"resnet{depth}", ModelInfo(f"resnet{depth}", about, build))


for _depth in (20, 32, 44, 56, 110):
    _register(_depth)
