"""Finding the last map of the picture in a network: a tensor that still has places, and on which the outputs depend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lt_core.explain.base import Explainable


def _channels_first(out: Tensor) -> Tensor:
    return out


def _channels_last(out: Tensor) -> Tensor:
    return out.permute(0, 3, 1, 2)


def _tokens(out: Tensor) -> Tensor:
    """Maps [B, K, s, s] of tokens [B, t, K]: the last s² tokens are those of s × s patches, after class and register tokens."""
    side = isqrt(out.shape[1])
    patches = out[:, -side * side :].transpose(1, 2)
    return patches.reshape(*patches.shape[:2], side, side)


@dataclass(frozen=True)
class Place:
    """A module, and the function that turns its output into maps [B, K, h, w]."""

    module: nn.Module
    maps: Callable[[Tensor], Tensor]


def found(classifier: Explainable, images: Tensor) -> Place | None:
    """The place whose maps show where the classifier looks; None if its network keeps no places, like a perceptron.

    A backbone may name the module itself (``seen``), or say that there is none. Otherwise it is the last module, in the order of
    computation, whose output has places on which the logits depend. In a transformer this is the output of a layer norm, tokens
    [B, t, K]; in other networks any output [B, K, h, w] (or [B, h, w, K]) with more than one place. In the last block of a vision
    transformer with a class token, the logits depend on no other token, so that the block's first layer norm is found, which is
    the usual choice for Grad-CAM.

    Args:
        images: normalised, [B, channels, H, W]; only the first is used.
    """
    if hasattr(classifier.backbone, "seen"):
        named = cast(nn.Module | None, classifier.backbone.seen)
        return Place(named, _channels_first) if named is not None else None
    seen: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not isinstance(output, Tensor) or not output.requires_grad:
            return output
        seen.append((module, output))
        return output.clone()  # so that later operations in place change the copy

    with _hooks(classifier.backbone.modules(), note), torch.enable_grad():
        outputs = classifier.logits(images[:1].detach().requires_grad_())
    tokens: list[tuple[nn.Module, Tensor]] = [
        (m, out) for m, out in seen if isinstance(m, nn.LayerNorm) and out.dim() == 3 and _is_map(out, _tokens)
    ]
    candidates = tokens or [(m, out) for m, out in seen if out.dim() == 4 and _is_map(out, _layout(out))]
    if not candidates:
        return None
    ramp = torch.arange(1, 1 + outputs.shape[1], device=outputs.device, dtype=outputs.dtype)
    slopes = torch.autograd.grad((outputs * ramp).sum(), [out for _, out in candidates], allow_unused=True)
    for (module, out), slope in zip(reversed(candidates), reversed(slopes), strict=True):
        read = _tokens if tokens else _layout(out)
        if slope is not None and bool(read(slope).any()):
            return Place(module, read)
    return None


def _layout(out: Tensor) -> Callable[[Tensor], Tensor]:
    """The function for channels first or channels last, whichever makes the map square."""
    return _channels_last if out.shape[1] == out.shape[2] != out.shape[3] else _channels_first


def _is_map(out: Tensor, read: Callable[[Tensor], Tensor]) -> bool:
    return len(out) == 1 and read(out)[0, 0].numel() > 1


def seen_at(place: Place, classifier: Explainable, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The maps [B, K, h, w] of ``images`` at ``place``, and the gradients of the logits of ``labels`` with respect to them."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> Any:
        seen.append(cast(Tensor, output))
        return output.clone()

    with _hooks([place.module], note), torch.enable_grad():
        outputs = classifier.logits(images.detach().requires_grad_())
        (slopes,) = torch.autograd.grad(outputs.gather(1, labels[:, None]).sum(), seen[-1])
    return place.maps(seen[-1].detach()).float(), place.maps(slopes).float()


@contextmanager
def _hooks(modules: Any, note: Callable[[nn.Module, Any, Any], Any]) -> Iterator[None]:
    handles: list[RemovableHandle] = [module.register_forward_hook(note) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
