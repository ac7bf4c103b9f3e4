"""Wide residual networks for 32×32 images (Zagoruyko and Komodakis 2016), such as the WRN-28-2 of semi-supervised work.

Public code differs in two places. The shortcut of a group's first block starts from the normalised and rectified input in every
group (CReST), or only in the first group and from the raw input in the others (FixMatch, Bi-Sampling, ABC). Batch norm has
PyTorch's momentum and ε (Bi-Sampling), momentum 0.001 (ABC), or momentum and ε of 0.001 (FixMatch, CReST).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.errors import UserError, unknown
from lt_core.models.registry import MODELS, Backbone, ModelInfo

_SLOPE = 0.1  # of the leaky ReLU, as in FixMatch's public code
_SHORTCUTS = ("rectified", "raw")


class PreBlock(nn.Module):
    """Two times batch norm, leaky ReLU and a 3×3 convolution; if the width changes, the shortcut has a 1×1 convolution."""

    def __init__(self, width_in: int, width: int, stride: int, raw: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(width_in, width, 1, stride=stride, bias=False) if width_in != width else None
        self.raw = raw

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.norm1(x), _SLOPE)
        x = x if self.shortcut is None else self.shortcut(x if self.raw else y)
        out: Tensor = x + self.conv2(F.leaky_relu(self.norm2(self.conv1(y)), _SLOPE))
        return out


class WideResNet(Backbone):
    """A wide residual network with ``depth`` = 6n + 4 layers and widths 16-32-64 times ``factor``.

    ``shortcut`` is ``rectified`` or ``raw``, and applies to the groups after the first; ``norm_momentum`` and ``norm_eps`` are
    batch norm's, as PyTorch defines them.
    """

    captured = True

    def __init__(self, depth: int, factor: int, channels: int, shortcut: str, norm_momentum: float, norm_eps: float) -> None:
        super().__init__()
        if shortcut not in _SHORTCUTS:
            raise unknown("shortcut", shortcut, _SHORTCUTS, f"wrn{depth}_{factor}")
        for key, value in (("norm_momentum", norm_momentum), ("norm_eps", norm_eps)):
            if not 0 < value <= 1:
                raise UserError(f"wrn{depth}_{factor}: {key} must be above 0 and at most 1, got {value:g}")
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.groups, width_in = nn.ModuleList(), 16
        for stage, width in enumerate((16 * factor, 32 * factor, 64 * factor)):
            group = nn.Sequential()
            for i in range((depth - 4) // 6):
                group.append(PreBlock(width_in, width, 2 if stage and i == 0 else 1, raw=shortcut == "raw" and stage > 0))
                width_in = width
            self.groups.append(group)
        self.norm = nn.BatchNorm2d(width_in)
        self.width = width_in
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE, mode="fan_out", nonlinearity="leaky_relu")
            elif isinstance(module, nn.BatchNorm2d):
                module.momentum, module.eps = norm_momentum, norm_eps

    def begin(self, images: Tensor) -> Tensor:
        out: Tensor = self.stem(images)
        return out

    def finish(self, hidden: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(hidden), _SLOPE).mean(dim=(2, 3))


def _register(depth: int, factor: int) -> None:
    def build(
        shape: tuple[int, int, int], shortcut: str = "rectified", norm_momentum: float = 0.1, norm_eps: float = 1e-5
    ) -> WideResNet:
        return WideResNet(depth, factor, shape[2], shortcut, norm_momentum, norm_eps)

    name = f"wrn{depth}_{factor}"
    MODELS.add(
        name, ModelInfo(name, f"wide residual network with {depth} layers, widening factor {factor} and leaky ReLU", build)
    )


for _depth, _factor in ((28, 2), (28, 8)):
    _register(_depth, _factor)
