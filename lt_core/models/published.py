"""Published networks (`lt_core.pretrained`) as models, trained from random weights or from published ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn

from lt_core.errors import UserError, in_a_line, unknown
from lt_core.labels import format_label
from lt_core.models.registry import MODELS, Backbone, ModelInfo
from lt_core.pretrained import BACKBONES, BackboneInfo, Row
from lt_core.pretrained.files import digest_named, is_digest
from lt_core.pretrained.weights import fill

NONE = "none"  # the value of ``weights`` that means random ones
ALL, LAST_BLOCK, HEAD = _TRAINED = ("all", "last_block", "head")
_OPTIONS = {"weights": NONE, "trained": ALL}  # option → the value at which labels leave it out


def _in_colour(images: Tensor) -> Tensor:
    """Images [B, 1 or 3, H, W] as [B, 3, H, W]: a single channel is repeated."""
    return images.expand(-1, 3, -1, -1)


class Whole(Backbone):
    """A network without its classifier, used as a whole."""

    def __init__(self, info: BackboneInfo, network: nn.Module) -> None:
        super().__init__()
        self.called, self.network, self.width = info.name, network, info.width
        self.groups = nn.ModuleList()

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.network(_in_colour(images)).flatten(1)
        return out


class InGroups(Backbone):
    """A network without its classifier, made of the modules that ``row`` names."""

    def __init__(self, info: BackboneInfo, network: nn.Module, row: Row) -> None:
        super().__init__()
        self.called, self.width = info.name, info.width
        self.stem = nn.Sequential(*map(network.get_submodule, row.stem))
        self.groups = nn.ModuleList(map(network.get_submodule, row.groups))
        self.end = nn.Sequential(*map(network.get_submodule, row.end))

    def begin(self, images: Tensor) -> Tensor:
        out: Tensor = self.stem(_in_colour(images))
        return out

    def finish(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.end(hidden).flatten(1)
        return out


def _keep(backbone: Backbone, trained: str) -> None:
    """Freeze everything except what is ``trained``: the whole backbone for ``head``, or everything before the last block."""
    if trained == LAST_BLOCK:
        if not isinstance(backbone, InGroups):
            raise UserError(
                f"trained=last_block is not possible, because {backbone.called} does not consist of blocks in "
                "sequence: use all or head"
            )
        blocks = [block for group in backbone.groups for block in group.children()]
        backbone.kept = (backbone.stem, *blocks[:-1])
    elif trained == HEAD:
        backbone.kept = tuple(backbone.children())
    for module in backbone.kept:
        module.requires_grad_(False)


@lru_cache(maxsize=64)
def _check(name: str, info: BackboneInfo, height: int, width: int) -> None:
    """Raise UserError unless the network gives features for pictures of this size; nothing is computed for it."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
            found = info.headless(height).eval()(torch.empty(2, 3, height, width)).flatten(1).shape
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"model {name} cannot process pictures of {height}×{width} pixels ({in_a_line(error)})") from error
    if found != (2, info.width):
        raise UserError(f"model {name} gives features of shape {list(found)[1:]}, but its classifier expects {info.width}")


def _model(name: str, info: BackboneInfo) -> ModelInfo:
    def build(shape: tuple[int, int, int], weights: str = NONE, trained: str = ALL) -> Backbone:
        height, width, channels = shape
        if channels not in (1, 3):
            raise UserError(f"model {name} needs pictures with one or three channels, not {channels}")
        if trained not in _TRAINED:
            raise unknown("value of trained", trained, _TRAINED, name)
        if trained != ALL and weights == NONE:
            raise UserError(f"model {name}: trained={trained} would keep random weights: set weights too")
        if weights != NONE and not is_digest(weights):
            raise UserError(f"model {name}: weights={weights} does not identify a file: write {resolve({'weights': weights})}")
        _check(name, info, height, width)
        network = info.headless(height)
        if weights != NONE and not _outline(network):
            fill(network, info, weights)
        backbone = InGroups(info, network, info.row) if info.row else Whole(info, network)
        _keep(backbone, trained)
        return backbone

    def resolve(options: Mapping[str, str]) -> str:
        for key in options:
            if key not in _OPTIONS:
                raise unknown("option", key, _OPTIONS, name)
        found = {**_OPTIONS, **options}
        if found["weights"] != NONE:
            found["weights"] = digest_named(info, found["weights"])
        return format_label(MODELS.versioned(name), {key: value for key, value in found.items() if value != _OPTIONS[key]})

    return ModelInfo(name, info.about, build, resolve)


def _outline(network: nn.Module) -> bool:
    """Whether the network has shapes but no numbers, because the model is only checked."""
    return any(p.is_meta for p in network.parameters())


MODELS.include(BACKBONES, _model)
