"""Files of weights: known by the SHA-256 of their content, found again by it, and never loaded unless it is the right one."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from lt_core.cache import cache_dir
from lt_core.errors import UserError
from lt_core.frozen.backbones import BackboneInfo

DIGITS = 8  # of the SHA-256, as torch.hub writes them into its file names


def digest_of(path: Path) -> str:
    """The first eight hexadecimal digits of the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]


def adopt(path: Path, backbone: str) -> str:
    """Keep a user's file under its digest, where the trials of a later run find it too; the digest.

    Raises:
        UserError: there is no such file, or the cache cannot be written.
    """
    if not path.is_file():
        raise UserError(f"there is no file of weights {path}: give the path of one, or a name that `list backbones` shows")
    digest = digest_of(path)
    kept = _kept(backbone, digest)
    if not kept.is_file() or digest_of(kept) != digest:
        beside = kept.with_suffix(f".{os.getpid()}.part")
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, beside)
            beside.replace(kept)
        except OSError as error:
            raise UserError(f"{kept.parent} cannot keep weights ({error.strerror}): set LT_CACHE to another folder") from None
    return digest


def load_weights(info: BackboneInfo, digest: str, size: int) -> nn.Module:
    """The network in evaluation mode, with the weights of that digest and without its classifier.

    Raises:
        UserError: the file is not there, is another one, or does not fit the backbone.
    """
    path = _find(info, digest)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        words = f"{path} cannot be read as a file of weights ({type(error).__name__})"
        raise UserError(f"{words}: save the network's state_dict there") from error
    states = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    rows = states.get(f"{info.classifier}.weight")
    net = info.build(size, len(rows) if rows is not None else 1000)
    theirs = {key: value for key, value in states.items() if not key.startswith(f"{info.classifier}.")}
    try:
        fit = net.load_state_dict(theirs, strict=False)
    except RuntimeError as error:
        raise UserError(f"{path} does not fit backbone {info.name}: {str(error).splitlines()[-1].strip()}") from error
    absent = [key for key in fit.missing_keys if not key.startswith(f"{info.classifier}.")]
    if absent or fit.unexpected_keys:
        words = f"lacks {absent[0]}" if absent else f"has {fit.unexpected_keys[0]}, which is not in it"
        raise UserError(f"{path} does not fit backbone {info.name}: it {words}")
    owner, _, name = info.classifier.rpartition(".")
    setattr(net.get_submodule(owner), name, nn.Identity())
    return net.eval().requires_grad_(False)


def _kept(backbone: str, digest: str) -> Path:
    return cache_dir() / "weights" / f"{backbone}-{digest}.pth"


def _find(info: BackboneInfo, digest: str) -> Path:
    """The file with that digest, wherever it is.

    Raises:
        UserError: it is nowhere, or the file that should be it has another content.
    """
    looked = []
    for path in _candidates(info, digest):
        looked.append(path)
        if path.is_file():
            found = digest_of(path)
            if found != digest:
                raise UserError(
                    f"{path} was changed or damaged (its SHA-256 begins with {found}, not {digest}): install or fetch it again"
                )
            return path
    return _downloaded(info, digest, looked)


def _candidates(info: BackboneInfo, digest: str) -> Iterator[Path]:
    if info.packaged and digest in info.digests.values():
        yield info.packaged()
    yield _kept(info.name, digest)
    for name, known in info.digests.items():
        if known == digest:
            yield Path(torch.hub.get_dir(), "checkpoints", info.urls[name].rpartition("/")[2])


def _downloaded(info: BackboneInfo, digest: str, looked: list[Path]) -> Path:
    places = " and ".join(map(str, looked))
    name = next((name for name, known in info.digests.items() if known == digest), None)
    if name is None or info.packaged:
        raise UserError(f"the weights {digest} of {info.name} are not here (looked for {places}): give weights=FILE once")
    path = _kept(info.name, digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(info.urls[name], str(path), hash_prefix=digest, progress=False)
    except Exception as error:
        raise UserError(
            f"the weights {name} of {info.name} are not here (looked for {places}) and could not be downloaded "
            f"({type(error).__name__}): fetch {info.urls[name]} elsewhere and give weights=FILE"
        ) from error
    return path
