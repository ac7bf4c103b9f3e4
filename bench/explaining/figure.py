"""Heat maps as a figure: one row per picture, from head to tail, one column per method."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.explaining.pictures import Column, Sheet
from bench.report.charts.measure import broken
from bench.report.charts.palette import DIVERGING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 1.25  # inches a side
_WRONG, _, _RIGHT = DIVERGING
_HEAT = "inferno"
_SIDE = 96  # pixels of a map at least


def draw(sheet: Sheet, title: str, notes: Sequence[str]) -> Figure:
    """The picture itself first, then each method's heat over it; below each, the method's prediction, blue if correct."""
    from matplotlib.figure import Figure

    rows, columns = len(sheet.pixels), 1 + len(sheet.columns)
    width = 1.3 + _CELL * columns
    words = [line for note in notes for line in textwrap.wrap(note, int(width * 17))]
    height = (_CELL + 0.28) * rows + 0.75 + 0.14 * len(words)
    made = Figure(figsize=(width, height))
    top, bottom = 1 - 0.62 / height, (0.12 + 0.14 * len(words)) / height
    grid = made.add_gridspec(
        rows, columns, left=1.2 / width, right=1 - 0.1 / width, top=top, bottom=bottom + 0.2 / height, hspace=0.16
    )
    made.text(0.1 / width, 1 - 0.1 / height, title, fontsize=9, va="top")
    made.text(0.1 / width, bottom - 0.06 / height, "\n".join(words), fontsize=6.5, va="top", linespacing=1.3)
    for row, (pixels, label) in enumerate(zip(sheet.pixels, sheet.labels, strict=True)):
        axis = _empty(made.add_subplot(grid[row, 0]))
        axis.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_ylabel(
            f"{_short(sheet.class_names[label])}\n{sheet.train_counts[label]} images",
            fontsize=7,
            rotation=0,
            ha="right",
            va="center",
        )
        for place, column in enumerate(sheet.columns):
            axis = _empty(made.add_subplot(grid[row, place + 1]))
            axis.imshow(blended(pixels, column.heat[row]), interpolation="nearest")
            axis.set_xlabel(
                said(sheet, column, row), fontsize=6.5, labelpad=2, color=_RIGHT if column.predicted[row] == label else _WRONG
            )
            if row == 0:
                axis.set_title(broken(column.label, 72 * _CELL, 7.5), fontsize=7.5, pad=4)
    return made


def said(sheet: Sheet, column: Column, row: int) -> str:
    """``✓ horse, 93 %``, and what the map is about where that is another class than the picture's."""
    predicted, label = int(column.predicted[row]), int(sheet.labels[row])
    mark = "✓" if predicted == label else "✗"
    about = int(column.sought[row])
    words = [f"{mark} {_short(sheet.class_names[predicted])}", f"{100 * column.probability[row]:.0f} %"]
    words += [] if about == label else [f"map: {_short(sheet.class_names[about])}"]
    words += [] if column.heat[row].any() else ["no heat"]
    return ", ".join(words)


def blended(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Heat, scaled to the hottest place of its own map, over the picture in grey: uint8 [S, S, 3] for S of at least 96.

    Args:
        pixels: uint8 [H, W, channels].
        heat: [H, W].
    """
    from matplotlib import colormaps
    from PIL import Image

    side = max(_SIDE, *heat.shape)
    low, high = float(heat.min()), float(heat.max())
    scaled = (heat - low) / (high - low) if high > low else np.zeros_like(heat)
    smooth = np.asarray(Image.fromarray(scaled.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))[:, :, None]
    grey = Image.fromarray(pixels.astype(np.float32).mean(axis=2)).resize((side, side), Image.Resampling.NEAREST)
    share = 0.25 + 0.5 * smooth
    mixed = (1 - share) * np.asarray(grey)[:, :, None] + share * 255 * colormaps[_HEAT](smooth[:, :, 0])[:, :, :3]
    return mixed.round().clip(0, 255).astype(np.uint8)


def _empty(axis: Any) -> Any:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    return axis


def _short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
