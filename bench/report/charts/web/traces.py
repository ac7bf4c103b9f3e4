"""A series as plotly.js traces: its line or points, its spread, and what a reader sees when pointing at it."""

from __future__ import annotations

from typing import Any

from bench.report.charts.chart import Axis, Panel, Series
from bench.report.charts.spreads import aside, barred, crowd
from bench.report.charts.web.values import dash, marker, numbers, paint, safe


def traces(s: Series, panel: Panel) -> list[dict[str, Any]]:
    """The traces of ``s`` in ``panel``: its band, if it has a spread that is drawn as one, and the series itself."""
    shared: dict[str, Any] = {"type": "scatter", "name": safe(s.name), "legendgroup": s.key, "showlegend": False}
    made: list[dict[str, Any]] = []
    crowded = bool(s.low and crowd(panel))
    if s.low and not crowded:
        x = [*s.x, *reversed(s.x)]
        y = [*s.high, *reversed(s.low)]
        band = {"mode": "lines", "fill": "toself", "fillcolor": paint(s) + "26", "line": {"width": 0}, "hoverinfo": "skip"}
        made.append(shared | {"x": numbers(x), "y": numbers(y)} | band)
    mode = "+".join(part for part, has in (("lines", s.kind != "points"), ("markers", s.marks), ("text", s.written)) if has)
    trace: dict[str, Any] = shared | {"x": numbers(aside(panel, s)), "y": numbers(s.y), "mode": mode}
    if s.kind != "points":
        trace["line"] = {"color": paint(s), "width": round(1.5 * s.width, 2), "dash": dash(s)}
        trace["line"] |= {"shape": "hv"} if s.kind == "step" else {}
    if s.marks:
        trace["marker"] = {"color": paint(s), "symbol": marker(s), "size": round(1.7 * s.size, 1)}
        trace |= {"cliponaxis": False} if panel.y.holds(s.y) else {}
    if s.error:
        error = [value if place % s.every == 0 else None for place, value in enumerate(numbers(s.error))]
        trace["error_y"] = {"type": "data", "array": error, "color": paint(s), "thickness": 1.2, "width": 3}
    if crowded:
        trace |= {"customdata": numbers(s.x), "error_y": _bars(s, panel)}
    if s.words:
        trace["text"] = [safe(word) for word in s.words]
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
    return [*made, trace]


def _bars(s: Series, panel: Panel) -> dict[str, Any]:
    """The spread of a series as thin error bars."""
    first, between = barred(panel, s)
    shown = [number % between == first % between for number in range(len(s.y))]
    up = [high - y if has else None for has, y, high in zip(shown, s.y, s.high, strict=True)]
    down = [y - low if has else None for has, y, low in zip(shown, s.y, s.low, strict=True)]
    look = {"color": paint(s), "thickness": 1, "width": 0}
    return {"type": "data", "symmetric": False, "array": numbers(up), "arrayminus": numbers(down)} | look


def _unit(axis: Axis) -> str:
    return f"{safe(axis.title)}: " if axis.title else ""


def _beside(s: Series, axis: Axis) -> list[str] | str:
    """Where words are written above their points: on an axis with fixed ends, towards its middle, so that nothing is cut off."""
    if axis.low is None or axis.high is None:
        return "top center"
    middle = (axis.low + axis.high) / 2
    return ["top right" if x <= middle else "top left" for x in s.x]
