"""Small networks: for 8×8 digits, and the multi-layer perceptron of the MNIST example."""

from __future__ import annotations

import itertools
import math

from torch import Tensor, nn

from lt_core.models.registry import MODELS, Backbone, ModelInfo


class SmallCNN(Backbone):
    """Three 3×3 convolutions with batch norm, 16-32-64 channels, one pooling, global average: features of 64."""

    width = 64

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, 16, 32, 64)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in widths[1:])
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for stage, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x)).relu()
            x = self.pool(x) if stage == 1 else x
        return x.mean(dim=(2, 3))


class MLP(Backbone):
    """One hidden layer of 256 units with ReLU (784-256-10 on MNIST)."""

    width = 256

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(pixels, self.width)

    def forward(self, images: Tensor) -> Tensor:
        return self.hidden(images.flatten(1)).relu()


MODELS.add("small_cnn", ModelInfo("small_cnn", SmallCNN.__doc__ or "", lambda shape: SmallCNN(shape[2])))
MODELS.add("mlp", ModelInfo("mlp", MLP.__doc__ or "", lambda shape: MLP(math.prod(shape))))
