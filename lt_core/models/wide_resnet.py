"""Wide residual networks for 32×32 images (Zagoruyko and Komodakis 2016): WRN-28-2, as semi-supervised work uses it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.models.registry import MODELS, Backbone, ModelInfo

_SLOPE = 0.1  # of the leaky ReLU, as in FixMatch's public code


class PreBlock(nn.Module):
    """Batch norm, leaky ReLU, 3×3 convolution, twice; a 1×1 convolution in the shortcut where the width changes."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(width_in, width, 1, stride=stride, bias=False) if width_in != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.norm1(x), _SLOPE)
        # Where the width changes the shortcut, too, starts from what is normalised and rectified.
        x = x if self.shortcut is None else self.shortcut(y)
        return x + self.conv2(F.leaky_relu(self.norm2(self.conv1(y)), _SLOPE))


class WideResNet(Backbone):
    """``depth`` = 6n + 4 layers, widths 16-32-64 times ``factor``."""

    def __init__(self, depth: int, factor: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.groups, width_in = nn.ModuleList(), 16
        for stage, width in enumerate((16 * factor, 32 * factor, 64 * factor)):
            group = nn.Sequential()
            for i in range((depth - 4) // 6):
                group.append(PreBlock(width_in, width, 2 if stage and i == 0 else 1))
                width_in = width
            self.groups.append(group)
        self.norm = nn.BatchNorm2d(width_in)
        self.width = width_in
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE, mode="fan_out", nonlinearity="leaky_relu")

    def begin(self, images: Tensor) -> Tensor:
        return self.stem(images)

    def finish(self, hidden: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(hidden), _SLOPE).mean(dim=(2, 3))


def _register(depth: int, factor: int) -> None:
    def build(shape: tuple[int, int, int]) -> WideResNet:
        return WideResNet(depth, factor, shape[2])

    name = f"wrn{depth}_{factor}"
    MODELS.add(name, ModelInfo(name, f"wide residual network of {depth} layers, {factor} times as wide, leaky ReLU", build))


for _depth, _factor in ((28, 2), (28, 8)):
    _register(_depth, _factor)
