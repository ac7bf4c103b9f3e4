"""The base class of explanations, and what they may use of a classifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from lt_core.fields import build
from lt_core.labels import parse_label
from lt_core.registry import Registry


class Explainable(Protocol):
    """A classifier in evaluation mode; `lt_core.trained.Trained` is one. B is a batch, C the number of classes."""

    @property
    def backbone(self) -> nn.Module:
        """The module in which a map of the picture is looked for."""

    def logits(self, images: Tensor) -> Tensor:
        """Logits [B, C] for normalised ``images`` [B, channels, H, W], in float32, with gradients."""

    def predicted(self, images: Tensor) -> Tensor:
        """Class probabilities [B, C] of normalised ``images``, without gradients."""


class Softmaxed:
    """Any network from normalised images to logits, whose probabilities are their softmax.

    >>> flat = nn.Linear(4, 2)
    >>> _ = nn.init.zeros_(flat.weight), nn.init.zeros_(flat.bias)
    >>> Softmaxed(nn.Sequential(nn.Flatten(), flat)).predicted(torch.zeros(1, 1, 2, 2)).tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, network: nn.Module) -> None:
        self.backbone = network.eval()

    def logits(self, images: Tensor) -> Tensor:
        out: Tensor = self.backbone(images)
        return out

    @torch.no_grad()
    def predicted(self, images: Tensor) -> Tensor:
        return self.logits(images).softmax(dim=1)


@dataclass(frozen=True)
class Explanation(ABC):
    """A way to measure how important each place of a picture is for a class; its fields are its parameters."""

    name: ClassVar[str] = ""

    @abstractmethod
    def heat(self, classifier: Explainable, images: Tensor, labels: Tensor) -> Tensor:
        """How important each place of each picture is: float32 [B, H, W], 0 or more, not comparable between pictures.

        Args:
            images: normalised, [B, channels, H, W].
            labels: int64 [B], the class to explain for each picture.

        Raises:
            UserError: this kind of explanation cannot be applied to the network.
        """

    def places(self, classifier: Explainable, images: Tensor) -> tuple[int, int]:
        """Rows and columns of a map of ``images``, before it is enlarged to their size.

        Raises:
            UserError: this kind of explanation cannot be applied to the network.
        """
        return images.shape[2], images.shape[3]


EXPLANATIONS: Registry[type[Explanation]] = Registry("explanation")
E = TypeVar("E", bound=type[Explanation])


def explains(name: str) -> Callable[[E], E]:
    """Class decorator: register an explanation under ``name``."""

    def register(cls: E) -> E:
        made = dataclass(frozen=True)(cls)
        made.name = name
        EXPLANATIONS.add(name, made)
        return cast(E, made)

    return register


def explanation(label: str) -> Explanation:
    """The explanation that ``label`` names, a name or ``name[key=value,…]``.

    >>> explanation("rise[masks=500]").masks
    500

    Raises:
        UserError: there is no such explanation, it does not have a parameter, or a parameter is outside its domain.
    """
    name, values = parse_label(label)
    return build(EXPLANATIONS[name], values, name)
