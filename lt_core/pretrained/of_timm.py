"""timm's networks (the extra ``timm``), as ``timm/<name>``: a name of `timm.list_models`, with the tag of weights or without.

``timm/resnet50.a1_in1k`` expects pictures, and has weights, as that tag of timm's says; ``timm/resnet50`` means the tag that timm
puts first.
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
#: timm's class ResNet, of which are ResNeXts and many more: it calls its layers one after another.
_RESNET = Row(("conv1", "bn1", "act1", "maxpool"), ("layer1", "layer2", "layer3", "layer4"), ("global_pool",))


def means(name: str) -> bool:
    """Whether ``name`` is written as one of these."""
    return name.startswith(_PREFIX)


def has(name: str) -> bool:
    """Whether timm has a network of that ``name``, if timm is there to be asked."""
    try:
        return bool(_timm(name).is_model(name.removeprefix(_PREFIX)))
    except UserError:
        return True  # so that asking for it says what it needs


def names() -> set[str]:
    """All names, without tags."""
    return {_PREFIX + name for name in _timm("").list_models()}


@lru_cache(maxsize=8)
def info(name: str) -> BackboneInfo:
    """What timm says of a network of its own.

    Raises:
        UserError: timm is not installed, knows no such tag, or gives the network no single linear classifier.
    """
    timm, theirs = _timm(name), name.removeprefix(_PREFIX)
    plain, _, tag = theirs.partition(".")
    try:
        config = timm.get_pretrained_cfg(theirs)
    except RuntimeError:  # timm's word for a tag that it does not know
        known = [other for other in timm.list_pretrained() if other.startswith(f"{plain}.")]
        raise UserError(f"timm has no weights {tag} of {plain}: {', '.join(known) or 'it has none at all'}") from None

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
    """The classifier that timm names, if it is a linear layer: its name and the length of its input."""
    with torch.device("meta"):
        modules = dict(built(build, config.input_size[1]).named_modules())
    layer = modules.get(config.classifier) if isinstance(config.classifier, str) else None
    if not isinstance(layer, nn.Linear):
        raise UserError(
            f"backbone {name} cannot be used, because its classifier ({config.classifier}) is not a single linear layer"
        )
    return config.classifier, layer.in_features


def _fetched(name: str, repository: str) -> Path:
    """The file of weights in timm's own form, from the hub's cache or from the hub."""
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
