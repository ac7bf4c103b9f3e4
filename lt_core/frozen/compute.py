"""Computing features in pieces, each written completely, so that an interruption costs only one piece."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.data.images import ImageSet, Pixels
from lt_core.frozen.label import Frozen
from lt_core.frozen.views import view_of
from lt_core.pretrained.weights import load_weights
from lt_core.whole_files import replacing

#: Increased when the same backbone and pictures would give other features: scaling, cropping, precision.
VERSION = 1
_PIECE = 512  # pictures
_BATCH = {"cpu": 16}  # by type of device; larger batches do not fit into a CPU's cache and take twice as long
_LARGE_BATCH = 128
#: Is called with the number of pictures that are done, and with the number of all.
Progress = Callable[[int, int], None]


def parts_of(images: ImageSet, view: int) -> dict[str, Pixels]:
    """The splits of a set for which the features of a view are computed, and their pictures. View 0 is the pictures as they are;
    only training images have others.
    """
    if view:
        return {"train": images.train_images}
    own = {} if images.validation_images is None else {"validation": images.validation_images}
    return {"train": images.train_images, "test": images.test_images, **own}


def compute(folder: Path, frozen: Frozen, images: ImageSet, view: int, device: str, progress: Progress) -> None:
    """Write the features of one view of ``images`` into ``folder``. Pieces that an earlier process left are used, and the others
    are computed.

    Raises:
        UserError: the backbone or its weights are missing.
        OSError: the folder cannot be written.
    """
    pieces = folder.with_name(f".{folder.name}")
    pieces.mkdir(exist_ok=True)
    parts, done = parts_of(images, view), 0
    total = sum(map(len, parts.values()))
    net: nn.Module | None = None
    meta: dict[str, Any] = {**frozen.network, "view": view, "images": images.fingerprint}
    meta |= {"device": device, "torch": torch.__version__}
    for part, pixels in parts.items():
        made = []
        for start in range(0, len(pixels), _PIECE):
            piece = pieces / f"{part}-{start:08d}"
            features = _read_piece(piece)
            if features is None:
                net = net or load_weights(frozen.info, frozen.weights, frozen.size).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
                features = features_of(net, frozen, view_of(pixels[start : start + _PIECE], view, start), device)
                _write_piece(piece, features)
            made.append(features)
            done += len(features)
            progress(done, total)
        meta[part] = _write_part(pieces / f"{part}.npy", np.concatenate(made))
    (pieces / "meta.json").write_text(json.dumps(meta))
    for piece in pieces.glob("*-*"):
        piece.unlink()
    shutil.rmtree(folder, ignore_errors=True)  # it only exists if it is damaged
    pieces.replace(folder)


def _write_part(path: Path, features: np.ndarray) -> str:
    """Write an array, and return the SHA-256 of the file."""
    with open(path, "wb+") as file:
        np.save(file, features)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_piece(path: Path, features: np.ndarray) -> None:
    """Write a piece: the SHA-256 of what follows, the number of rows, and the rows."""
    body = len(features).to_bytes(8, "little") + features.tobytes()
    with replacing(path) as beside:
        beside.write_bytes(hashlib.sha256(body).digest() + body)


def _read_piece(path: Path) -> np.ndarray | None:
    """A piece that an earlier process finished; None if it is missing, or not as it was written."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, body = content[:32], content[32:]
    if hashlib.sha256(body).digest() != digest:
        return None
    return np.frombuffer(body[8:], np.float16).reshape(int.from_bytes(body[:8], "little"), -1)


@torch.inference_mode()
def features_of(net: nn.Module, frozen: Frozen, pixels: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Features of ``pixels`` uint8 [n, H, W, channels]: float16 [n, width], computed in float32 and then rounded."""
    made, size = [], _BATCH.get(torch.device(device).type, _LARGE_BATCH)
    with torch.backends.cudnn.flags(allow_tf32=False):
        for start in range(0, len(pixels), size):
            batch = torch.from_numpy(np.array(pixels[start : start + size])).to(device)
            made.append(net(prepared(batch, frozen)).flatten(1).half().cpu())
    return torch.cat(made).numpy()


def prepared(pixels: Tensor, frozen: Frozen) -> Tensor:
    """Pictures as the backbone expects them: the shorter side scaled to ``size`` (bicubic), the centre cut out, normalised.

    Args:
        pixels: uint8 [B, H, W, channels]; a single channel is repeated three times.

    Returns:
        float32 [B, 3, size, size], channels last in memory.
    """
    pictures = pixels.permute(0, 3, 1, 2).float()
    sides = pictures.shape[2:]
    scaled = [max(frozen.size, round(side * frozen.size / min(sides))) for side in sides]
    pictures = F.interpolate(pictures, size=scaled, mode="bicubic", antialias=True, align_corners=False).clamp(0, 255)
    top, left = ((side - frozen.size) // 2 for side in scaled)
    pictures = pictures[:, :, top : top + frozen.size, left : left + frozen.size].expand(-1, 3, -1, -1)
    mean, std = (torch.tensor(values, device=pictures.device)[:, None, None] for values in (frozen.info.mean, frozen.info.std))
    return ((pictures / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
