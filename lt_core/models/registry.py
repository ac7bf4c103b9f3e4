"""Models by name, and the network that joins a backbone to a head."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lt_core.errors import UserError, unknown
from lt_core.labels import format_label, parse_label
from lt_core.models.heads import Head, initialise
from lt_core.registry import Registry


class Backbone(nn.Module):
    """A network from images [B, channels, H, W] to features [B, ``width``].

    Most backbones are a sequence of ``groups`` of blocks, with layers before and after. Methods that mix hidden layers or double
    the last block need this form; a backbone without it overrides ``forward`` and leaves ``groups`` empty.
    """

    width: int
    groups: nn.ModuleList  # of nn.Sequential
    called: str = ""  # its name in messages; empty: that of its class
    captured: bool = False  # see `lt_core.parts.Part.captured`
    kept: tuple[nn.Module, ...] = ()  # modules that are not trained, and stay in evaluation mode

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self.kept:
            module.eval()
        return self

    def begin(self, images: Tensor) -> Tensor:
        """The input of the first group."""
        return images

    def finish(self, hidden: Tensor) -> Tensor:
        """The features, made from the output of the last group."""
        return hidden.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.begin(images)
        for group in self.groups:
            hidden = group(hidden)
        return self.finish(hidden)


def called(backbone: nn.Module) -> str:
    """The name of a backbone in messages."""
    return getattr(backbone, "called", "") or type(backbone).__name__


@dataclass(frozen=True)
class ModelInfo:
    """A backbone that a recipe can name.

    Args:
        build: (shape, **options) → the backbone; ``shape`` is (height, width, channels) of its input.
        resolve: options as users write them → the full label, which specs contain; None: labels stay as users write them.
        sees: options → the shape of the model's input; None: the model sees the images themselves.
    """

    name: str
    about: str
    build: Callable[..., Backbone]
    resolve: Callable[[Mapping[str, str]], str] | None = None
    sees: Callable[[Mapping[str, str]], tuple[int, int, int]] | None = None


MODELS: Registry[ModelInfo] = Registry("model")


class Net(nn.Module):
    """A backbone and its classifier."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    @property
    def width(self) -> int:
        """Length of the features."""
        return self.backbone.width  # type: ignore[return-value]

    def classify(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Outputs [B, C] for features [B, width]; ``labels`` are for classifiers that use them in training."""
        takes_labels = labels is not None and getattr(self.classifier, "takes_labels", False)
        out: Tensor = self.classifier(features, labels) if takes_labels else self.classifier(features)
        return out

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.backbone(images))


#: Makes another backbone from a backbone.
Change = Callable[[nn.Module], nn.Module]


def _same(backbone: nn.Module) -> nn.Module:
    return backbone


def build_model(
    label: str,
    shape: tuple[int, int, int],
    classes: int,
    head: Head,
    seed: int = 0,
    change: Change = _same,
    head_init: str = "he",
) -> Net:
    """The model that ``label`` names, initialised from ``seed`` alone; the global generator is left unchanged.

    Args:
        change: the change that the method's step makes to the backbone.
        head_init: that of the recipe.

    Raises:
        UserError: the model or an option is unknown, or the backbone cannot be changed in this way.
    """
    name, options = parse_label(label)
    info = MODELS[name]
    known = {k: p.default for k, p in inspect.signature(info.build).parameters.items() if k != "shape"}
    for key in options:
        if key not in known:
            raise unknown("option", key, known, name)
    typed = {key: _typed(text, known[key], f"{name}: {key}") for key, text in options.items()}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs' generators
        backbone = change(info.build(shape, **typed))
        return Net(backbone, initialise(head.build(backbone.width, classes), head_init))  # type: ignore[arg-type]


def resolved_model(label: str) -> str:
    """``label`` as in specs: with the version of a plug-in file, and with everything that the model fills in.

    Raises:
        UserError: it is not a label, or the model rejects its options.
    """
    label = MODELS.versioned(label)
    name, options = parse_label(label)
    resolve = MODELS[name].resolve if name in MODELS else None
    return resolve(options) if resolve else label


def without_weights(label: str) -> str:
    """``label`` with random weights instead of a file's, for a network into which other weights are read."""
    name, options = parse_label(label)
    random = {key: text for key, text in options.items() if key not in ("weights", "trained")}
    return label if MODELS[name].sees else format_label(name, random)


def seen_shape(label: str, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The input shape of the model ``label``, (height, width, channels): that of the image, unless the model sees features.

    Raises:
        UserError: the model is unknown.
    """
    name, options = parse_label(label)
    sees = MODELS[name].sees
    return sees(options) if sees else image_shape


def _typed(text: str, default: Any, where: str) -> Any:
    """An option's text as the type of its default."""
    if not isinstance(default, float):
        return text
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{where} must be a number, got '{text}'") from None


class _Unfilled(TorchFunctionMode):
    """Skips functions that only set values: tensors without storage have none, and the meta kernels take 1.5 s to import."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return args[0] if func in (Tensor.normal_, F.normalize) else func(*args, **(kwargs or {}))


def check_model(label: str, shape: tuple[int, int, int], classes: int, head: Head, change: Change = _same) -> None:
    """Raise what `build_model` would raise, without allocating anything."""
    with torch.device("meta"), _Unfilled():
        build_model(label, shape, classes, head, change=change)
