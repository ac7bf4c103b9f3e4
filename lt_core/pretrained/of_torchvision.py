"""torchvision's classification networks. torchvision takes a second to import, and is imported only when a name is looked up."""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from lt_core.pretrained.info import BackboneInfo, Row

#: The class of residual networks, ResNeXts and wide residual networks, whose layers are called one after another.
_RESNET = Row(("conv1", "bn1", "relu", "maxpool"), ("layer1", "layer2", "layer3", "layer4"), ("avgpool",))


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all networks except two, which have further classifiers between their layers."""
    from torchvision import models

    return frozenset(models.list_models(module=models)) - {"googlenet", "inception_v3"}


@lru_cache(maxsize=8)
def info(name: str) -> BackboneInfo:
    """What torchvision knows about one of its networks."""
    from torchvision import models

    published = models.get_model_weights(name)
    expected = published.DEFAULT.transforms()

    def build(size: int, classes: int) -> nn.Module:
        special = {"image_size": size} if name.startswith("vit_") else {}  # position embeddings depend on the size of pictures
        net: nn.Module = models.get_model(name, weights=None, num_classes=classes, **special)
        return net

    others = [weights for weights in published if weights is not published.DEFAULT]
    return BackboneInfo(
        name,
        f"torchvision's {name}",
        build,
        expected.crop_size[0],
        tuple(expected.mean),
        tuple(expected.std),
        {weights.name: weights.url for weights in (published.DEFAULT, *others)},
        row=_RESNET if models.get_model_builder(name).__module__ == models.resnet.__name__ else None,
    )
