"""Drawing matrices of coloured cells, and images, in matplotlib axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.report.charts.chart import Heat, Picture
from bench.report.charts.grid import Room, step
from bench.report.charts.measure import broken, every, widest
from bench.report.charts.palette import DIVERGING, RAMP, ink
from bench.report.charts.style import Look

SLANT = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
_LEAST = 5.0  # smallest font that is printed, in points


def add_heat(axis: Any, heat: Heat, slanted: bool, room: Room, look: Look) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    values = np.array([[np.nan if v is None else v for v in row] for row in heat.values], dtype=float)
    shades = LinearSegmentedColormap.from_list("lt", DIVERGING if heat.diverging else RAMP).with_extremes(bad="#DDDDDD")
    image = axis.imshow(values, cmap=shades, vmin=heat.low, vmax=heat.high, aspect="auto")
    axis.spines[:].set_visible(False)
    down, across = range(0, len(heat.y), step(heat.y)), range(0, len(heat.x), step(heat.x))
    columns = [f"{i + 1}" for i in range(len(heat.x))] if heat.numbered else list(heat.x)
    if not slanted:
        across = range(0, len(columns), across.step * every(columns[:: across.step], room.width, look.small))
    axis.set_xticks(across, [columns[i] for i in across], fontsize=look.small, **(SLANT if slanted else {}))
    rows = zip(down, room.names, strict=True)
    axis.set_yticks(down, [f"{name}  {i + 1}" if heat.numbered and name else name for i, name in rows])
    axis.tick_params(length=0)
    words, size = _words(heat, room, look)
    for i, row in enumerate(words):
        for j, word in enumerate(row):
            axis.text(j, i, word, ha="center", va="center", fontsize=size, color=ink(*shades(image.norm(values[i, j]))[:3]))


def _words(heat: Heat, room: Room, look: Look) -> tuple[Sequence[Sequence[str]], float]:
    """The text in the cells and its font size: their words, or if these do not fit, the signs of differences (both ends of that
    scale look alike in grey), or nothing.
    """
    signs = [["" if not v else "+" if v > 0 else "−" for v in row] for row in heat.values] if heat.diverging else []
    for words in (heat.words, signs):
        needed = widest((word for row in words for word in row), look.small)
        size = look.small * min(1.0, 0.82 * room.width / len(heat.x) / max(needed, 1.0), room.height / len(heat.y) / look.small)
        if size >= _LEAST:
            return words, size
    return (), _LEAST


def add_bar(axis: Any, heat: Heat, room: Room, look: Look) -> None:
    """Add the colour bar to the right of a matrix; its neighbours to the left may share it."""
    bar = axis.figure.colorbar(axis.images[0], ax=axis, fraction=0.06, pad=0.03, aspect=18)
    bar.set_label(broken(heat.unit, room.height, look.small), fontsize=look.small)
    bar.ax.tick_params(labelsize=look.small, width=0.6 * look.weight, length=0.3 * look.font)
    bar.outline.set_visible(False)


def add_picture(axis: Any, picture: Picture, room: Room, look: Look) -> None:
    with picture.sheet() as sheet:
        axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        height = sheet.height / len(picture.rows)
    axis.spines[:].set_visible(False)
    axis.set_xticks([])
    axis.set_yticks([(i + 0.5) * height for i in range(len(picture.rows))], room.names)
    axis.tick_params(length=0)
