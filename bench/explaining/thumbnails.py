"""Heat maps as small pictures for the page of a run."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np

from bench.explaining.figure import blended, said
from bench.explaining.pictures import Sheet
from bench.report.page.looks import Look, View
from lt_core.labels import counted

_SIDE = 96  # pixels of the screen
_COLOURS = 64  # a third of the bytes of all of them


def look(sheet: Sheet, title: str, notes: Sequence[str]) -> Look:
    """What `bench.explaining.figure.draw` draws, for the page."""
    rows = []
    for row, (pixels, label) in enumerate(zip(sheet.pixels, sheet.labels, strict=True)):
        alone = View(_png(pixels), sheet.class_names[label], counted(sheet.train_counts[label], "training image"))
        views = (
            View(
                _png(blended(pixels, column.heat[row])),
                column.label,
                said(sheet, column, row),
                bool(column.predicted[row] == label),
            )
            for column in sheet.columns
        )
        rows.append((alone, *views))
    return Look(title, tuple(notes), tuple(rows))


def _png(pixels: np.ndarray) -> str:
    """uint8 [H, W, 1 or 3] as a square PNG of the page's size, in base64."""
    from PIL import Image

    made = Image.fromarray(np.ascontiguousarray(pixels.squeeze())).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    file = io.BytesIO()
    made.quantize(_COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
