"""Files of weights, identified and found by the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from lt_core.cache import cache_dir
from lt_core.errors import UserError, in_a_line, unknown
from lt_core.pretrained.info import BackboneInfo
from lt_core.whole_files import replacing

DIGITS = 8  # number of digits of the SHA-256, as in the file names of torch.hub
PRETRAINED = "pretrained"  # stands for the weights that a backbone lists first


def digest_of(path: Path) -> str:
    """The first eight hexadecimal digits of the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]


def is_digest(weights: str) -> bool:
    """Whether ``weights`` are the digits of a file, rather than a name or a path."""
    return re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", weights) is not None


def digest_named(info: BackboneInfo, weights: str = PRETRAINED) -> str:
    """The digits of the file that a user means by ``weights``.

    Args:
        weights: ``pretrained``, the name of published ones (``IMAGENET1K_V1``), the path of a file, or the digits themselves.

    Raises:
        UserError: ``weights`` is none of these, or there are no published weights.
    """
    known = info.digests
    if weights == PRETRAINED and known:
        return next(iter(known.values()))
    if weights == PRETRAINED and info.packaged:
        return adopt(info.packaged(), info.name)
    if weights == PRETRAINED:
        raise UserError(f"backbone {info.name} has no published weights: give weights=FILE")
    if weights in known:
        return known[weights]
    if is_digest(weights):
        return weights
    if "/" in weights or "." in weights or Path(weights).is_file():
        return adopt(Path(weights).expanduser(), info.name)
    raise unknown("weights", weights, {PRETRAINED, *known}, f"backbone {info.name}")


def adopt(path: Path, backbone: str) -> str:
    """Copy a user's file into the cache under its digest, where later runs find it; returns the digest.

    Raises:
        UserError: there is no such file, or the cache cannot be written.
    """
    if not path.is_file():
        raise UserError(f"the weights file {path} does not exist: give the path of one, or weights={PRETRAINED}")
    digest = digest_of(path)
    kept = _kept(backbone, digest)
    if not kept.is_file() or digest_of(kept) != digest:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with replacing(kept) as beside:
                shutil.copyfile(path, beside)
        except OSError as error:
            raise UserError(f"{kept.parent} cannot store weights ({error.strerror}): set LT_CACHE to another folder") from None
    return digest


def _kept(backbone: str, digest: str) -> Path:
    return cache_dir() / "weights" / f"{backbone.replace('/', '-')}-{digest}.pth"


def find(info: BackboneInfo, digest: str) -> Path:
    """The file with that digest, wherever it is; a published file is downloaded if necessary.

    Raises:
        UserError: the file cannot be found, or its content has changed.
    """
    looked = []
    for path in _candidates(info, digest):
        looked.append(path)
        if path.is_file():
            found = digest_of(path)
            if found != digest:
                raise UserError(
                    f"{path} has been changed or damaged (its SHA-256 begins with {found}, not {digest}): install or download "
                    "it again"
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
        raise UserError(f"the weights {digest} of {info.name} were not found (looked for {places}): give weights=FILE once")
    path = _kept(info.name, digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(info.urls[name], str(path), hash_prefix=digest, progress=False)
    except Exception as error:
        raise UserError(
            f"the weights {name} of {info.name} were not found (looked for {places}) and could not be downloaded "
            f"({in_a_line(error)}): download {info.urls[name]} on another machine and give weights=FILE"
        ) from error
    return path
