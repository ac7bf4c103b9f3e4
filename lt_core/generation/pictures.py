"""Example images of a translation, for looking at; they influence nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lt_core.data.loader import Split
from lt_core.generation.scores import MOST, Judge, scores
from lt_core.generation.translation import Translation

COLUMNS = 8
_WHITE = 255


def pictures(translation: Translation, split: Split, judge: Callable[[], Judge]) -> list[dict[str, Any]]:
    """For each class that is filled up: its label, that of the largest class, a PNG (base64) of three rows of eight pictures,
    images of the largest class, what the generator makes of them, and real images of the class (as many as there are), and the
    `scores` of what it makes of all images of the largest class, or of the first thousand.

    Args:
        judge: makes the one that scores; it is asked for once, and only if something is made.
    """
    made = []
    seen = judge() if translation.gans else None
    for label in translation.gans:
        of_head, of_class = (translation.of_class[c] for c in (translation.head, label))
        sources, real = (split.train.pixels[places] for places in (of_head[:MOST], of_class))
        images = translation.make(sources, torch.full((len(sources),), label, device=sources.device))
        rows = [part[:COLUMNS].cpu() for part in (sources, images, real)]
        assert seen is not None
        unseen = split.test.pixels[(split.test.labels == label).nonzero()[:, 0]]
        figures = scores(images, label, real, unseen, seen)
        made.append({"label": label, "made_of": translation.head, "png": _png(rows), "scores": figures})
    return made


def _png(rows: list[Tensor]) -> str:
    """Rows of pictures uint8 [n, H, W, channels], a white line between them."""
    from PIL import Image

    _, height, width, channels = rows[0].shape
    sheet = np.full((len(rows) * (height + 1) - 1, COLUMNS * (width + 1) - 1, channels), _WHITE, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row.numpy()):
            sheet[i * (height + 1) :, j * (width + 1) :][:height, :width] = picture
    file = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
