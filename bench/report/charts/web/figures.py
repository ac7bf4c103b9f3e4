"""A chart as plotly.js figures, one per panel: plain JSON values, so that making them does not need plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.report.charts.chart import Axis, Chart, Panel
from bench.report.charts.palette import REGION
from bench.report.charts.web.matrix import CELLS, ROOM, ROOM_WIDE, add_picture, cell_words, heat_trace
from bench.report.charts.web.traces import traces
from bench.report.charts.web.values import dash, marker, paint, safe, short

_HEIGHT, _LARGE = 380, 480


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
                "colour": paint(s),
                "marker": marker(s) if s.marks else "",
                "dash": dash(s),
                "kind": s.kind,
            },
        )
    return list(entries.values())


def _figure(panel: Panel) -> dict[str, Any]:
    data = [trace for s in panel.series for trace in traces(s, panel)]
    layout: dict[str, Any] = {
        "height": _HEIGHT,
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 62, "r": 14, "t": 40 if panel.title else 16, "b": 56},
        # At the left, because the tools of a chart are at the right.
        "title": {"text": safe(panel.title), "font": {"size": 14}, "x": 0, "xanchor": "left", "pad": {"l": 14}},
        "xaxis": _axis(panel.x) | {"showgrid": False},
        "yaxis": _axis(panel.y),
    }
    if panel.heat:
        if len(panel.heat.x) > 6 and any(len(word) > 3 for row in panel.heat.words for word in row):
            layout["meta"] = {"wide": True}  # it gets a row to itself, and scrolls on a phone
        data += [heat_trace(panel.heat), *cell_words(panel.heat, ROOM_WIDE if "meta" in layout else ROOM)]
        layout["xaxis"], layout["yaxis"] = _ordinal(panel.x, panel.heat.x), _ordinal(panel.y, panel.heat.y)
        layout["xaxis"]["range"] = [-0.5, len(panel.heat.x) - 0.5]
        layout["yaxis"]["range"] = [len(panel.heat.y) - 0.5, -0.5]
        layout["height"] = max(_HEIGHT, 130 + 26 * len(panel.heat.y)) if len(panel.heat.y) <= CELLS else _LARGE
    if panel.rows:
        lines = max(name.count("\n") for name in panel.rows)
        layout["height"] = max(_HEIGHT, 110 + (34 + 20 * lines) * len(panel.rows))
        layout["margin"] |= {"l": 14} if panel.y.ticks == () else {}
    if panel.picture:
        add_picture(layout, panel.picture)
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
        {"x": (r.low + r.high) / 2, "y": 1, "yref": "paper", "yanchor": "bottom", "text": safe(r.name), "showarrow": False,
         "font": {"size": 11}}
        for r in panel.regions
    ]  # fmt: skip
    return {"data": data, "layout": layout}


def _axis(axis: Axis) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": safe(axis.title), "standoff": 8}, "automargin": True, "zeroline": False}
    if axis.log:
        made["type"] = "log"
    if axis.ticks is not None:
        made |= {"tickvals": [place for place, _ in axis.ticks], "ticktext": [safe(word) for _, word in axis.ticks]}
        made |= {"tickangle": -45} if axis.slanted else {}
    if axis.low is not None or axis.high is not None:
        ends = [short(math.log10(end)) if axis.log and end else end for end in (axis.low, axis.high)]
        made["range"] = ends  # plotly finds an end that is null
    return made


def _ordinal(axis: Axis, names: Sequence[str]) -> dict[str, Any]:
    made = {"title": {"text": safe(axis.title), "standoff": 8}, "type": "category", "automargin": True}
    words = [safe(name) for name in names]
    named = {"tickvals": words, "ticktext": words} if len(words) <= CELLS else {}  # of more, plotly names some
    return made | {"ticks": "", "showgrid": False} | named
