"""Small networks: for 8×8 digits, and the multi-layer perceptron of the MNIST example."""

from __future__ import annotations

import itertools
import math

from torch import Tensor, nn

from lt_core.models.registry import MODELS, Backbone, ModelInfo


class SmallBlock(nn.Module):
    """A 3×3 convolution with batch norm and ReLU."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width_in, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.convolution(x)).relu()
        return out


class SmallCNN(Backbone):
    """Three 3×3 convolutions with batch norm (16, 32, 64 channels), one pooling layer and global average pooling; 64 features."""

    captured = True

    width = 64

    def __init__(self, channels: int) -> None:
        super().__init__()
        blocks = [SmallBlock(i, o) for i, o in itertools.pairwise((channels, 16, 32, 64))]
        blocks_and_pools: list[list[nn.Module]] = [[blocks[0]], [blocks[1], nn.MaxPool2d(2)], [blocks[2]]]
        self.groups = nn.ModuleList(nn.Sequential(*group) for group in blocks_and_pools)


class MLP(Backbone):
    """One hidden layer of 256 units with ReLU (784-256-10 on MNIST)."""

    captured = True

    width = 256

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.groups = nn.ModuleList([nn.Sequential(nn.Sequential(nn.Linear(pixels, self.width), nn.ReLU()))])

    def begin(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def finish(self, hidden: Tensor) -> Tensor:
        return hidden


MODELS.add("small_cnn", ModelInfo("small_cnn", SmallCNN.__doc__ or "", lambda shape: SmallCNN(shape[2])))
MODELS.add("mlp", ModelInfo("mlp", MLP.__doc__ or "", lambda shape: MLP(math.prod(shape))))
