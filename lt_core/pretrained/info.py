"""Facts about a network, published or a user's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from lt_core.errors import UserError


@dataclass(frozen=True)
class Row:
    """A network as a sequence: the names of its modules, each applied to the output of the previous one.

    Args:
        stem: the modules before the groups.
        groups: each is an nn.Sequential of blocks; methods double the last block or mix the outputs of a group.
        end: the modules between the groups and the classifier; the features are their output, flattened.
    """

    stem: tuple[str, ...]
    groups: tuple[str, ...]
    end: tuple[str, ...]


def built(build: Callable[[int, int], nn.Module], size: int) -> nn.Module:
    """The network for pictures of ``size``; this also works on the meta device."""
    try:
        return build(size, 1000)
    except RuntimeError:
        if torch.get_default_device().type != "meta":
            raise
        with torch.device("cpu"):  # while it is built, it computes with tensors, which have no numbers on the meta device
            return build(size, 1000).to("meta")


@dataclass(frozen=True, eq=False)
class BackboneInfo:
    """A network whose last linear layer is its classifier; the features are the input of that layer.

    Args:
        build: (picture size, number of classes) → the network with random weights, for pictures [B, 3, size, size].
        size: height and width of the pictures for which it was trained; the default for labels that name no size.
        mean, std: of the pixels that it expects, for each channel, on a scale from 0 to 1.
        urls: name of published weights → their URL; the first one is the default. A file's name ends in the first eight
            hexadecimal digits of its SHA-256, as the names of torch.hub's files do.
        packaged: gives the file of default weights in an installed package, or in the cache of one that downloads files; called
            only when weights are needed.
        last: name of the last linear layer and length of its input; None: the network is built to find out.
        row: the network as a sequence of groups; None if it is not one. Its forward pass must be nothing but this sequence.
    """

    name: str
    about: str
    build: Callable[[int, int], nn.Module]
    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    urls: Mapping[str, str] = field(default_factory=dict)
    packaged: Callable[[], Path] | None = None
    last: tuple[str, int] | None = None
    row: Row | None = None

    @cached_property
    def _outline(self) -> tuple[str, int]:
        if self.last:
            return self.last
        with torch.device("meta"):
            linear = [(name, m) for name, m in built(self.build, self.size).named_modules() if isinstance(m, nn.Linear)]
        if not linear:
            raise UserError(f"backbone {self.name} has no linear layer that could be its classifier: choose another backbone")
        return linear[-1][0], linear[-1][1].in_features

    @property
    def classifier(self) -> str:
        """The name of the last linear layer."""
        return self._outline[0]

    @property
    def width(self) -> int:
        """Length of the features."""
        return self._outline[1]

    @property
    def digests(self) -> dict[str, str]:
        """Name of published weights → the first eight hexadecimal digits of the SHA-256 of their file."""
        return {name: found[1] for name, url in self.urls.items() if (found := re.search(r"-([0-9a-f]{8})[0-9a-f]*\.\w+$", url))}

    def headless(self, size: int) -> nn.Module:
        """The network with random weights, for pictures of ``size``, without its classifier."""
        net = built(self.build, size)
        owner, _, name = self.classifier.rpartition(".")
        setattr(net.get_submodule(owner), name, nn.Identity())
        return net
