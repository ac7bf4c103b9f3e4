"""Decoding a picture from the bytes of its file, which a camera, a scanner or a drawing program may have written."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

#: Increased when the same files would give other pixels.
VERSION = 1
#: Pixels of the largest picture that is decoded, PIL's limit for an error: with more, a small file could fill the memory.
MOST_PIXELS = 178_956_970
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # PIL warns at half of that, too early


class Unreadable(ValueError):
    """A picture cannot be decoded; the message is the reason, in a few words."""


@dataclass(frozen=True)
class Decoded:
    """``pixels`` uint8 [size, size, 3]; ``width`` and ``height`` of the file's picture; ``note``: what is unusual about it."""

    pixels: np.ndarray
    width: int
    height: int
    note: str = ""


def decoded(content: bytes, size: int) -> Decoded:
    """The picture of a file with this content: its centred square, scaled to ``size`` (bicubic, with antialiasing).

    Scaling the shorter side to ``size`` and cutting out the centre are one step. Colours become RGB; an animation gives its first
    frame, and channels of 16 bits their upper eight. A rotation that a camera recorded is not applied, as in torchvision.

    Raises:
        Unreadable: the file is empty, truncated, too large, or not a picture.
    """
    if not content:
        raise Unreadable("the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise Unreadable(f"{width} × {height} pixels exceed the limit of {MOST_PIXELS / 1e6:.0f} million")
            note = "animated, only the first frame is used" if getattr(picture, "n_frames", 1) > 1 else ""
            picture.seek(0)
            picture.load()
            coloured, changed = _rgb(picture)
    except Unreadable:
        raise
    except Image.DecompressionBombError:
        raise Unreadable(f"it exceeds the limit of {MOST_PIXELS / 1e6:.0f} million pixels") from None
    except Exception as error:  # for a broken file, PIL's readers may raise an exception of any type
        raise Unreadable(_reason(error)) from error
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    scaled = coloured.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return Decoded(np.asarray(scaled), width, height, note or changed)


def _rgb(picture: Image.Image) -> tuple[Image.Image, str]:
    """The picture in RGB, and what is unusual about it."""
    if picture.mode.startswith("I"):  # one channel of 16 or 32 bits, whose values PIL would clip at 255
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65_535:
            raise Unreadable("its pixels have 32 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB"), "16 bits per channel"
    if picture.mode == "F":
        raise Unreadable("its pixels are floating-point numbers")
    return picture.convert("RGB"), {"CMYK": "CMYK", "L": "grey", "1": "grey", "LA": "grey"}.get(picture.mode, "")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is not a picture that can be read"
    words = str(error).strip().splitlines()
    return words[0] if words else type(error).__name__
