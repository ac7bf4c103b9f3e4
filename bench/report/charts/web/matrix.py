"""A matrix and a picture as plotly.js draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.report.charts.chart import Heat, Picture
from bench.report.charts.palette import DARK_DIVERGING, DIVERGING, RAMP, blend, ink
from bench.report.charts.web.values import numbers, safe

CELLS = 20  # up to this many rows, a matrix has gaps between its cells and names every row and column
ROOM, ROOM_WIDE = 200, 440  # width in pixels of all cells of a matrix in the narrowest panel, and in the narrowest wide panel
_FONT, _LEAST = 12, 6.0  # sizes of the text in cells: the usual one, and the least, below which there is no text
_WIDE, _PICTURE = 480, 230  # width in pixels to which a picture is enlarged, and its height on the page


def heat_trace(heat: Heat) -> dict[str, Any]:
    """The coloured cells, without their text."""
    gap = int(len(heat.y) <= CELLS)
    scale = DIVERGING if heat.diverging else RAMP
    trace: dict[str, Any] = {
        "type": "heatmap", "x": [safe(x) for x in heat.x], "y": [safe(y) for y in heat.y],
        "z": [numbers(row) for row in heat.values],
        "colorscale": _scale(scale),
        "colorbar": {"title": {"text": safe(heat.unit), "side": "right"}, "thickness": 12, "outlinewidth": 0},
        "xgap": gap, "ygap": gap, "hovertemplate": "%{y} → %{x}: %{z:.4~g}<extra></extra>",
    }  # fmt: skip
    if min(len(heat.x), len(heat.y)) <= CELLS:  # the page breaks the names beside the cells, but not these
        trace["customdata"] = [[f"{safe(y)} → {safe(x)}" for x in heat.x] for y in heat.y]
        trace["hovertemplate"] = "%{customdata}: %{z:.4~g}<extra></extra>"
    if heat.low is not None:
        trace |= {"zmin": heat.low, "zmax": heat.high}
    if heat.diverging:
        trace["meta"] = {"dark": {"colorscale": _scale(DARK_DIVERGING)}}
    return trace


def _scale(colours: Sequence[str]) -> list[list[Any]]:
    return [[round(i / (len(colours) - 1), 4), c] for i, c in enumerate(colours)]


def cell_words(heat: Heat, room: int) -> list[dict[str, Any]]:
    """The text in the cells, black or white by contrast. It is a trace of its own, because plotly's heat maps would show dark
    text in a grey that is hard to read on green or orange.
    """
    cells = [
        (x, y, word, value)
        for y, words, values in zip(heat.y, heat.words, heat.values, strict=True)
        for x, word, value in zip(heat.x, words, values, strict=True)
        if word
    ] if heat.words else []  # fmt: skip
    longest = max((len(word) for _, _, word, _ in cells), default=0)
    size = min(_FONT, round(1.45 * room / len(heat.x) / max(longest, 1), 1))  # a figure is 0.62 of its size wide
    if not cells or size < _LEAST:
        return []
    known = [value for row in heat.values for value in row if value is not None]
    low, high = (min(known), max(known)) if heat.low is None or heat.high is None else (heat.low, heat.high)

    def inks(scale: Sequence[str]) -> list[str]:
        places = [None if value is None else (value - low) / (high - low or 1.0) for *_, value in cells]
        return ["#000000" if place is None else ink(*blend(scale, place)) for place in places]

    xs, ys, words, _ = zip(*cells, strict=True)
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "text", "x": [safe(x) for x in xs], "y": [safe(y) for y in ys],
        "text": [safe(word) for word in words], "hoverinfo": "skip", "showlegend": False,
        "textfont": {"color": inks(DIVERGING if heat.diverging else RAMP), "size": size},
    }  # fmt: skip
    if heat.diverging:
        trace["meta"] = {"dark": {"textfont": {"color": inks(DARK_DIVERGING), "size": size}}}
    return [trace]


def add_picture(layout: dict[str, Any], picture: Picture) -> None:
    """Fill the plot with a picture of named rows. It is enlarged here, because browsers blur what they enlarge."""
    import base64
    import io

    from PIL import Image

    with picture.sheet() as sheet:
        times = max(1, _WIDE // sheet.width)
        width, height = sheet.width * times, sheet.height * times
        file = io.BytesIO()
        sheet.resize((width, height), Image.Resampling.NEAREST).save(file, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    rows = len(picture.rows)
    ticks = {"tickvals": [(i + 0.5) * height / rows for i in range(rows)], "ticktext": [safe(name) for name in picture.rows]}
    still = {"fixedrange": True, "showgrid": False, "zeroline": False, "title": {"text": ""}, "constrain": "domain"}
    layout["xaxis"] = still | {"visible": False, "range": [0, width], "constraintoward": "left"}
    layout["yaxis"] = (
        still | ticks | {"range": [height, 0], "scaleanchor": "x", "constraintoward": "top", "ticks": "", "automargin": True}
    )
    placed = {"xref": "x", "yref": "y", "x": 0, "y": 0, "sizex": width, "sizey": height, "sizing": "stretch"}
    layout["images"] = [{"source": source, **placed}]
    layout["height"] = _PICTURE
    layout["margin"] |= {"b": 14}
