"""A chart as plotly.js figures, one per panel: plain JSON values, so that making them does not need plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.report.charts.chart import Axis, Chart, Heat, Panel, Picture, Series
from bench.report.charts.palette import (
    DARK_DIVERGING,
    DIVERGING,
    MARKERS,
    RAMP,
    REGION,
    WEB_DASHES,
    WEB_MARKERS,
    blend,
    colour,
    ink,
    ramp,
)  # fmt: skip
from bench.report.charts.spreads import aside, barred, crowd

_HEIGHT, _LARGE = 380, 480
_ROOM, _ROOM_WIDE = 200, 440  # width in pixels of all cells of a matrix in the narrowest panel, and in the narrowest wide panel
_FONT, _LEAST = 12, 6.0  # sizes of the text in cells: the usual one, and the least, below which there is no text
_CELLS = 20  # up to this many rows, the cells of a matrix are separated by gaps
_WIDE, _PICTURE = 480, 230  # width in pixels to which a picture is enlarged, and its height on the page


def figures(chart: Chart) -> list[dict[str, Any]]:
    """``data`` and ``layout`` of each panel. A trace's ``legendgroup`` is its entry in the legend, which the page draws; what it
    has in ``meta.dark`` replaces its own in dark mode. The page breaks titles and names, because it knows how wide a panel is.
    """
    return [_figure(panel) for panel in chart.panels]


def legend(chart: Chart) -> list[dict[str, str]]:
    """Entries of a chart's legend: key, name, colour, marker and dash."""
    names, entries = chart.names(), dict[str, dict[str, str]]()
    for s in (s for panel in chart.panels for s in panel.series if s.listed):
        entries.setdefault(
            s.key,
            {
                "key": s.key,
                "name": names[s.key],
                "colour": _paint(s),
                "marker": _marker(s) if s.marks else "",
                "dash": _dash(s),
                "kind": s.kind,
            },
        )
    return list(entries.values())


def _figure(panel: Panel) -> dict[str, Any]:
    data = [trace for s in panel.series for trace in _traces(s, panel)]
    layout: dict[str, Any] = {
        "height": _HEIGHT,
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 62, "r": 14, "t": 40, "b": 56},
        # At the left, because the tools of a chart are at the right.
        "title": {"text": _safe(panel.title), "font": {"size": 14}, "x": 0, "xanchor": "left", "pad": {"l": 14}},
        "xaxis": _axis(panel.x) | {"showgrid": False},
        "yaxis": _axis(panel.y),
    }
    if panel.heat:
        if len(panel.heat.x) > 6 and any(len(word) > 3 for row in panel.heat.words for word in row):
            layout["meta"] = {"wide": True}  # it gets a row to itself, and scrolls on a phone
        data += [_heat(panel.heat), *_cells(panel.heat, _ROOM_WIDE if "meta" in layout else _ROOM)]
        layout["xaxis"], layout["yaxis"] = _ordinal(panel.x, panel.heat.x), _ordinal(panel.y, panel.heat.y)
        layout["xaxis"]["range"] = [-0.5, len(panel.heat.x) - 0.5]
        layout["yaxis"]["range"] = [len(panel.heat.y) - 0.5, -0.5]
        layout["height"] = max(_HEIGHT, 130 + 26 * len(panel.heat.y)) if len(panel.heat.y) <= _CELLS else _LARGE
    if panel.rows:
        lines = max(name.count("\n") for name in panel.rows)
        layout["height"] = max(_HEIGHT, 110 + (34 + 20 * lines) * len(panel.rows))
        layout["margin"] |= {"l": 14} if panel.y.ticks == () else {}
    if panel.picture:
        _picture(layout, panel.picture)
    elif panel.bare:
        layout["yaxis"] |= {"visible": False, "fixedrange": True}
        layout["xaxis"] |= {"visible": False, "fixedrange": True}
        layout["margin"] |= {"l": 14, "b": 20}
        layout["height"] = round(90 + 62 * ((panel.y.high or 0) - (panel.y.low or 0)))
        layout["meta"] = {"wide": True}
    layout["shapes"] = [
        {
            "type": "rect", "xref": "x", "yref": "paper", "x0": r.low, "x1": r.high, "y0": 0, "y1": 1, "layer": "below",
            "line": {"width": 0}, "fillcolor": REGION, "opacity": round(0.07 + 0.07 * number, 2),
        }
        for number, r in enumerate(panel.regions)
    ]  # fmt: skip
    layout["annotations"] = [
        {"x": (r.low + r.high) / 2, "y": 1, "yref": "paper", "yanchor": "bottom", "text": _safe(r.name), "showarrow": False,
         "font": {"size": 11}}
        for r in panel.regions
    ]  # fmt: skip
    return {"data": data, "layout": layout}


def _axis(axis: Axis) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": _safe(axis.title), "standoff": 8}, "automargin": True, "zeroline": False}
    if axis.log:
        made["type"] = "log"
    if axis.ticks is not None:
        made |= {"tickvals": [place for place, _ in axis.ticks], "ticktext": [_safe(word) for _, word in axis.ticks]}
        made |= {"tickangle": -45} if axis.slanted else {}
    if axis.low is not None or axis.high is not None:
        ends = [_short(math.log10(end)) if axis.log and end else end for end in (axis.low, axis.high)]
        made["range"] = ends  # plotly finds an end that is null
    return made


def _ordinal(axis: Axis, names: Sequence[str]) -> dict[str, Any]:
    made = {"title": {"text": _safe(axis.title), "standoff": 8}, "type": "category", "automargin": True}
    words = [_safe(name) for name in names]
    named = {"tickvals": words, "ticktext": words} if len(words) <= _CELLS else {}  # of more, plotly names some
    return made | {"ticks": "", "showgrid": False} | named


def _traces(s: Series, panel: Panel) -> list[dict[str, Any]]:
    shared: dict[str, Any] = {"type": "scatter", "name": _safe(s.name), "legendgroup": s.key, "showlegend": False}
    traces: list[dict[str, Any]] = []
    crowded = bool(s.low and crowd(panel))
    if s.low and not crowded:
        x = [*s.x, *reversed(s.x)]
        y = [*s.high, *reversed(s.low)]
        band = {"mode": "lines", "fill": "toself", "fillcolor": _paint(s) + "26", "line": {"width": 0}, "hoverinfo": "skip"}
        traces.append(shared | {"x": _numbers(x), "y": _numbers(y)} | band)
    mode = "+".join(part for part, has in (("lines", s.kind != "points"), ("markers", s.marks), ("text", s.written)) if has)
    trace: dict[str, Any] = shared | {"x": _numbers(aside(panel, s)), "y": _numbers(s.y), "mode": mode}
    if s.kind != "points":
        trace["line"] = {"color": _paint(s), "width": round(1.5 * s.width, 2), "dash": _dash(s)}
        trace["line"] |= {"shape": "hv"} if s.kind == "step" else {}
    if s.marks:
        trace["marker"] = {"color": _paint(s), "symbol": _marker(s), "size": round(1.7 * s.size, 1)}
        trace |= {"cliponaxis": False} if panel.y.holds(s.y) else {}
    if s.error:
        error = [value if place % s.every == 0 else None for place, value in enumerate(_numbers(s.error))]
        trace["error_y"] = {"type": "data", "array": error, "color": _paint(s), "thickness": 1.2, "width": 3}
    if crowded:
        trace |= {"customdata": _numbers(s.x), "error_y": _bars(s, panel)}
    if s.words:
        trace["text"] = [_safe(word) for word in s.words]
    if s.written:
        trace |= {"textposition": _beside(s, panel.x), "cliponaxis": False, "textfont": {"size": 12}}
    spread = " ± %{error_y.array:.3~g}" if s.error else ""
    said = "<br>%{text}" if s.words else ""
    place = "%{customdata}" if crowded else "%{x}"  # error bars of several lines are drawn beside their places
    trace["hovertemplate"] = f"<b>%{{fullData.name}}</b>{said}<br>{_unit(panel.x)}{place}<br>{_unit(panel.y)}%{{y:.4~g}}{spread}"
    trace["hovertemplate"] += "<extra></extra>"
    if not s.listed or panel.bare:
        trace["hoverinfo"] = "skip"
        del trace["hovertemplate"]
    return [*traces, trace]


def _bars(s: Series, panel: Panel) -> dict[str, Any]:
    """The spread of a series as thin error bars."""
    first, between = barred(panel, s)
    shown = [number % between == first % between for number in range(len(s.y))]
    up = [high - y if has else None for has, y, high in zip(shown, s.y, s.high, strict=True)]
    down = [y - low if has else None for has, y, low in zip(shown, s.y, s.low, strict=True)]
    look = {"color": _paint(s), "thickness": 1, "width": 0}
    return {"type": "data", "symmetric": False, "array": _numbers(up), "arrayminus": _numbers(down)} | look


def _heat(heat: Heat) -> dict[str, Any]:
    gap = int(len(heat.y) <= _CELLS)
    scale = DIVERGING if heat.diverging else RAMP
    trace: dict[str, Any] = {
        "type": "heatmap", "x": [_safe(x) for x in heat.x], "y": [_safe(y) for y in heat.y],
        "z": [_numbers(row) for row in heat.values],
        "colorscale": _scale(scale),
        "colorbar": {"title": {"text": _safe(heat.unit), "side": "right"}, "thickness": 12, "outlinewidth": 0},
        "xgap": gap, "ygap": gap, "hovertemplate": "%{y} → %{x}: %{z:.4~g}<extra></extra>",
    }  # fmt: skip
    if heat.low is not None:
        trace |= {"zmin": heat.low, "zmax": heat.high}
    if heat.diverging:
        trace["meta"] = {"dark": {"colorscale": _scale(DARK_DIVERGING)}}
    return trace


def _scale(colours: Sequence[str]) -> list[list[Any]]:
    return [[round(i / (len(colours) - 1), 4), c] for i, c in enumerate(colours)]


def _cells(heat: Heat, room: int) -> list[dict[str, Any]]:
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
        "type": "scatter", "mode": "text", "x": [_safe(x) for x in xs], "y": [_safe(y) for y in ys],
        "text": [_safe(word) for word in words], "hoverinfo": "skip", "showlegend": False,
        "textfont": {"color": inks(DIVERGING if heat.diverging else RAMP), "size": size},
    }  # fmt: skip
    if heat.diverging:
        trace["meta"] = {"dark": {"textfont": {"color": inks(DARK_DIVERGING), "size": size}}}
    return [trace]


def _picture(layout: dict[str, Any], picture: Picture) -> None:
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
    ticks = {"tickvals": [(i + 0.5) * height / rows for i in range(rows)], "ticktext": [_safe(name) for name in picture.rows]}
    still = {"fixedrange": True, "showgrid": False, "zeroline": False, "title": {"text": ""}, "constrain": "domain"}
    layout["xaxis"] = still | {"visible": False, "range": [0, width], "constraintoward": "left"}
    layout["yaxis"] = (
        still | ticks | {"range": [height, 0], "scaleanchor": "x", "constraintoward": "top", "ticks": "", "automargin": True}
    )
    placed = {"xref": "x", "yref": "y", "x": 0, "y": 0, "sizex": width, "sizey": height, "sizing": "stretch"}
    layout["images"] = [{"source": source, **placed}]
    layout["height"] = _PICTURE
    layout["margin"] |= {"b": 14}


def _unit(axis: Axis) -> str:
    return f"{_safe(axis.title)}: " if axis.title else ""


def _beside(s: Series, axis: Axis) -> list[str] | str:
    """Where words are written above their points: on an axis with fixed ends, towards its middle, so that nothing is cut off."""
    if axis.low is None or axis.high is None:
        return "top center"
    middle = (axis.low + axis.high) / 2
    return ["top right" if x <= middle else "top left" for x in s.x]


def _paint(s: Series) -> str:
    return ramp(s.shade) if s.shade is not None else colour(s.colour)


def _marker(s: Series) -> str:
    return WEB_MARKERS[(s.colour or 0) % len(WEB_MARKERS)]


def _dash(s: Series) -> str:
    number = s.colour or 0
    return (
        "dash"
        if s.dashed
        else "solid"
        if s.kind == "bar"
        else WEB_DASHES[(number // len(MARKERS) if s.marks else number) % len(WEB_DASHES)]
    )


def _numbers(values: Any) -> list[float | None]:
    return [_short(v) for v in values]


def _short(value: float | None) -> float | None:
    """Five digits, because nobody could see more, and None where there is no finite value."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def _safe(text: str) -> str:
    """Escape text, because plotly interprets some HTML in it, which also breaks its lines."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
