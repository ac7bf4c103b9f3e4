"""The networks of CycleGAN (Zhu et al. 2017, ICCV, section 4 and appendix 7.2), adapted to the size of the images."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

_SMALLEST = 7  # side below which an image is not halved any further


def halvings(height: int, width: int, most: int = 2) -> int:
    """How often an image can be halved, up to ``most`` times: once from 14×14 on, twice from 28×28 on, if its sides are even."""
    times, side = 0, min(height, width)
    while times < most and height % 2 == width % 2 == 0 and side // 2 >= _SMALLEST:
        times, side, height, width = times + 1, side // 2, height // 2, width // 2
    return times


def _conv(width_in: int, width: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(width_in, width, kernel, stride, kernel // 2, padding_mode="reflect", bias=False),
        nn.InstanceNorm2d(width),
        nn.ReLU(),
    ]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with instance norm, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(width, width, 3), *_conv(width, width, 3)[:2])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class Translator(nn.Module):
    """Turns an image of one class into one of another, [B, channels, H, W] in −1…1.

    It consists of convolutions down, residual blocks, and convolutions up. The paper's network has width 64, and nine blocks for
    256×256 or six for 128×128.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, blocks: int) -> None:
        super().__init__()
        height, breadth, channels = shape
        halved = halvings(height, breadth)
        widths = [width * 2**i for i in range(halved + 1)]
        layers = _conv(channels, width, 7 if halved else 3)
        for narrow, wide in itertools.pairwise(widths):
            layers += _conv(narrow, wide, 3, stride=2)
        layers += [ResidualBlock(widths[-1]) for _ in range(blocks)]
        for narrow, wide in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True):
            up = nn.ConvTranspose2d(wide, narrow, 3, stride=2, padding=1, output_padding=1, bias=False)
            layers += [up, nn.InstanceNorm2d(narrow), nn.ReLU()]
        layers += [nn.Conv2d(width, channels, 7 if halved else 3, padding="same", padding_mode="reflect"), nn.Tanh()]
        self.body = nn.Sequential(*layers)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.body(images)
        return out


class PatchDiscriminator(nn.Module):
    """How real each patch of an image looks: from [B, channels, H, W] to [B, 1, h, w], 1 for real and 0 for generated (least
    squares).

    ``large``: patches of 70 × 70 pixels, as in the paper (C64-C128-C256-C512 at width 64); otherwise of 26 × 26, or of fewer in
    images below 28 × 28.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, large: bool = False) -> None:
        super().__init__()
        halved = 3 if large else max(1, halvings(*shape[:2]))
        kernel = 4 if large else 3  # of the last two layers
        layers: list[nn.Module] = [nn.Conv2d(shape[2], width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for i in range(1, halved):
            wide = width * 2**i
            layers += [nn.Conv2d(wide // 2, wide, 4, 2, 1, bias=False), nn.InstanceNorm2d(wide), nn.LeakyReLU(0.2)]
        last = width * 2 ** (halved - 1)
        layers += [nn.Conv2d(last, 2 * last, kernel, padding=1, bias=False), nn.InstanceNorm2d(2 * last), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(2 * last, 1, kernel, padding=1))
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.body(images)
        return out


def _initialise(net: nn.Module) -> None:
    """Draw weights from N(0, 0.02²), as in the paper."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
