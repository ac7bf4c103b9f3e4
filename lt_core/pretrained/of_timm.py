"""timm's networks (the extra ``timm``), as ``timm/<name>``: a name of `timm.list_models`, with or without the tag of weights.

The tag, as in ``timm/resnet50.a1_in1k``, says which weights the network has and which pictures it expects; ``timm/resnet50``
means the tag that timm puts first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lt_core.errors import UserError, in_a_line
from lt_core.pretrained.info import BackboneInfo, Row, built

INSTALL = "pip install 'lt-bench[timm]'"
_PREFIX = "timm/"
#: timm's class ResNet, which ResNeXts and many other networks use: it calls its layers one after another.
_RESNET = Row(("conv1", "bn1", "act1", "maxpool"), ("layer1", "layer2", "layer3", "layer4"), ("global_pool",))


def means(name: str) -> bool:
    """Whether ``name`` has the form ``timm/…``."""
    return name.startswith(_PREFIX)


def has(name: str) -> bool:
    """Whether timm has a network of that ``name``; also True if timm is not installed."""
    try:
        return bool(_timm(name).is_model(name.removeprefix(_PREFIX)))
    except UserError:
        return True  # so that using it leads to an error that names the package


def names() -> set[str]:
    """All names, without tags."""
    return {_PREFIX + name for name in _timm("").list_models()}


@lru_cache(maxsize=8)
def info(name: str) -> BackboneInfo:
    """What timm knows about one of its networks.

    Raises:
        UserError: timm is not installed or has no such tag, or the network's classifier is not a single linear layer.
    """
    timm, theirs = _timm(name), name.removeprefix(_PREFIX)
    plain, _, tag = theirs.partition(".")
    try:
        config = timm.get_pretrained_cfg(theirs)
    except RuntimeError:  # raised by timm for an unknown tag
        known = [other for other in timm.list_pretrained() if other.startswith(f"{plain}.")]
        remedy = f"choose from {', '.join(known)}" if known else f"it has none for this network: write timm/{plain}"
        raise UserError(f"timm has no weights '{tag}' for {plain}: {remedy}") from None

    def build(size: int, classes: int) -> nn.Module:
        special = {"img_size": size} if config.fixed_input_size else {}
        net: nn.Module = timm.create_model(plain, pretrained=False, num_classes=classes, **special)
        return net

    return BackboneInfo(
        name,
        f"timm's {theirs}",
        build,
        config.input_size[1],
        tuple(config.mean),
        tuple(config.std),
        packaged=(lambda: _fetched(name, config.hf_hub_id)) if config.hf_hub_id else None,
        last=_last(name, build, config),
        row=_RESNET if timm.models.is_model_in_modules(plain, ["resnet"]) else None,
    )


def _last(name: str, build: Callable[[int, int], nn.Module], config: Any) -> tuple[str, int]:
    """The name of the classifier according to timm, which must be a linear layer, and the length of its input."""
    with torch.device("meta"):
        modules = dict(built(build, config.input_size[1]).named_modules())
    layer = modules.get(config.classifier) if isinstance(config.classifier, str) else None
    if not isinstance(layer, nn.Linear):
        raise UserError(
            f"backbone {name} cannot be used, because its classifier ({config.classifier}) is not a single linear layer"
        )
    return config.classifier, layer.in_features


def _fetched(name: str, repository: str) -> Path:
    """The file of weights as timm publishes it, from the hub's cache or from the hub."""
    hub = importlib.import_module("huggingface_hub")  # comes with timm
    try:
        return Path(hub.hf_hub_download(repository, "model.safetensors"))
    except Exception as error:
        raise UserError(
            f"the weights of {name} were not found and could not be downloaded from {repository} ({in_a_line(error)}): "
            "download its model.safetensors on another machine and give weights=FILE"
        ) from error


def _timm(name: str) -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError:
        raise UserError(f"{name or 'a network of timm'} needs the package timm: {INSTALL}") from None
