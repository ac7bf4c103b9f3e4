"""Networks with the weights of a file, which is loaded only if its digest is correct."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lt_core.errors import UserError
from lt_core.pretrained.files import find
from lt_core.pretrained.info import BackboneInfo


def load_weights(info: BackboneInfo, digest: str, size: int) -> nn.Module:
    """The network in evaluation mode, with the weights of that digest and without its classifier, for pictures of ``size``.

    Raises:
        UserError: for the same reasons as in `fill`.
    """
    return fill(info.headless(size), info, digest).eval().requires_grad_(False)


_left_out: ContextVar[bool] = ContextVar("left_out", default=False)


@contextmanager
def left_out() -> Iterator[None]:
    """In this block networks keep random weights, whatever their labels say: these are enough to measure their cost."""
    token = _left_out.set(True)
    try:
        yield
    finally:
        _left_out.reset(token)


def fill(net: nn.Module, info: BackboneInfo, digest: str) -> nn.Module:
    """``net``, which is `BackboneInfo.headless`, with the weights of that digest.

    Raises:
        UserError: the file is missing, has changed, or does not fit the backbone.
    """
    if _left_out.get():
        return net
    path = find(info, digest)
    theirs = {key: value for key, value in _read(path).items() if not key.startswith(f"{info.classifier}.")}
    try:
        fit = net.load_state_dict(theirs, strict=False)
    except RuntimeError as error:
        raise UserError(f"{path} does not fit backbone {info.name}: {str(error).splitlines()[-1].strip()}") from error
    if fit.missing_keys or fit.unexpected_keys:
        words = (
            f"lacks {fit.missing_keys[0]}"
            if fit.missing_keys
            else (f"contains {fit.unexpected_keys[0]}, which the backbone does not have")
        )
        raise UserError(f"{path} does not fit backbone {info.name}: it {words}")
    return net


def _read(path: Path) -> Mapping[str, Tensor]:
    """The states in a file that torch wrote or, judging by its content, safetensors."""
    try:
        with open(path, "rb") as file:
            safe = file.read(9)[8:] == b"{"  # the header comes after its length, eight bytes
        loaded: Any = _safetensors(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:
        words = f"{path} cannot be read as a file of weights ({type(error).__name__})"
        raise UserError(f"{words}: save the network's state_dict in it") from error
    states = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    return states if isinstance(states, dict) else {}


def _safetensors(path: Path) -> Any:
    try:
        library = importlib.import_module("safetensors.torch")
    except ImportError:
        raise UserError(f"{path} is a safetensors file and needs that package: pip install safetensors") from None
    return library.load_file(path)
