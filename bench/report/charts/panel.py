"""Drawing one panel of a chart in matplotlib axes."""

from __future__ import annotations

from typing import Any

from bench.report.charts.chart import Axis, Panel, Series
from bench.report.charts.grid import Room, slants
from bench.report.charts.matrix import SLANT, add_heat, add_picture
from bench.report.charts.measure import broken, every
from bench.report.charts.palette import DASHES, MARKERS, REGION, colour, ramp
from bench.report.charts.spreads import aside, barred, crowd
from bench.report.charts.style import Look


def add_panel(axis: Any, panel: Panel, room: Room, look: Look) -> list[tuple[Series, Any]]:
    """Draw one panel, and return the series that belong in the legend with their handles."""
    em = look.font
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=look.small, width=0.6 * look.weight, length=0.35 * em, pad=0.3 * em)
    pad = (1.6 if panel.regions else 0.6) * em
    axis.set_title(room.title, loc="left" if room.spans else "center", fontsize=em, pad=pad)
    if panel.heat:
        add_heat(axis, panel.heat, slants(panel, room.width, look), room, look)
    elif not panel.bare:
        axis.grid(axis="x" if panel.rows else "y", linewidth=0.4 * look.weight, alpha=0.6)
        axis.set_axisbelow(True)
    for number, region in enumerate(panel.regions):
        axis.axvspan(region.low, region.high, color=REGION, alpha=0.06 + 0.07 * number, linewidth=0, zorder=0)
        axis.annotate(
            region.name, ((region.low + region.high) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", fontsize=look.small, alpha=0.75,
        )  # fmt: skip
    drawn = [(s, _series(axis, s, panel, look)) for s in panel.series]
    for s, handle in drawn:
        if panel.y.holds(s.y):  # otherwise, the frame would cut marks at its ends in half
            getattr(handle, "lines", [handle])[0].set_clip_on(False)
    whole = not panel.x.log and all(x == int(x) for s in panel.series for x in s.x)
    _scale(axis, panel.x, "x", room, look, titled=room.titled_x, keep=bool(panel.heat), whole=whole)
    _scale(axis, panel.y, "y", room, look, titled=room.titled_y, keep=bool(panel.heat), whole=False)
    if panel.rows:
        axis.set_yticks([place for place, _ in panel.y.ticks or ()], room.names)
    if panel.picture:
        add_picture(axis, panel.picture, room, look)
    elif panel.bare:
        axis.yaxis.set_visible(False)
        axis.spines[:].set_visible(False)
    return [(series, handle) for series, handle in drawn if series.listed]


def _scale(axis: Any, made: Axis, which: str, room: Room, look: Look, titled: bool, keep: bool, whole: bool) -> None:
    long = room.width if which == "x" else room.height
    if titled:
        getattr(axis, f"set_{which}label")(broken(made.title, long, look.font), fontsize=look.font, labelpad=0.3 * look.font)
    if keep:
        return
    own = getattr(axis, f"{which}axis")
    if made.log:
        getattr(axis, f"set_{which}scale")("log")
    if made.ticks is not None:
        words = [word for _, word in made.ticks]
        shown = 1 if which == "y" or made.slanted else every(words, long, look.small)
        slant = SLANT if made.slanted else {}
        shown_words = [word if number % shown == 0 else "" for number, word in enumerate(words)]
        own.set_ticks([place for place, _ in made.ticks], shown_words, **slant)
        own.set_ticks([], minor=True)
    elif whole:
        own.get_major_locator().set_params(integer=True)
    if made.low is not None or made.high is not None:
        getattr(axis, f"set_{which}lim")(made.low, made.high)


def appearance(s: Series) -> dict[str, Any]:
    """Colour, mark and dash of a series. A line without marks has a dash of its own instead."""
    number = s.colour or 0
    dash = "--" if s.dashed else "-" if s.kind == "bar" else DASHES[(number // len(MARKERS) if s.marks else number) % len(DASHES)]
    return {
        "color": colour(s.colour) if s.shade is None else ramp(s.shade),
        "marker": MARKERS[number % len(MARKERS)] if s.marks else "none",
        "linestyle": "none" if s.kind == "points" else dash,
    }


def _series(axis: Any, s: Series, panel: Panel, look: Look) -> Any:
    """Draw a series and return its legend handle."""
    line = appearance(s) | {"linewidth": s.width * look.weight, "markersize": s.size * look.weight}
    bars: dict[str, Any] = {"elinewidth": 0.7 * look.weight, "ecolor": (line["color"], 0.6)}
    if s.kind == "step":
        (handle,) = axis.step(s.x, s.y, where="post", **line)
    elif s.low and crowd(panel):
        ends = [[y - low for y, low in zip(s.y, s.low, strict=True)], [high - y for y, high in zip(s.y, s.high, strict=True)]]
        handle = axis.errorbar(aside(panel, s), s.y, ends, errorevery=barred(panel, s), **bars, **line)
    elif s.error:
        handle = axis.errorbar(s.x, s.y, s.error, errorevery=((s.colour or 0) * s.every // 8 % s.every, s.every), **bars, **line)
    else:
        if s.low:
            axis.fill_between(s.x, s.low, s.high, color=line["color"], alpha=0.15, linewidth=0)
        (handle,) = axis.plot(s.x, s.y, **line)
    if s.written:
        _words(axis, s, look)
    return handle


def _words(axis: Any, s: Series, look: Look) -> None:
    """Write the words of the points at the end of their rows."""
    for y, word in zip(s.y, s.words, strict=True):
        axis.annotate(
            word, (1, y), xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points", ha="left", va="center",
            fontsize=look.small, annotation_clip=False,
        )  # fmt: skip
