"""A chart as a matplotlib figure, and as PDF, SVG or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report.charts.chart import Axis, Chart, Heat, Panel, Picture, Series
from bench.report.charts.palette import DASHES, DIVERGING, MARKERS, RAMP, REGION, colour, ramp
from lt_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SUFFIXES = (".pdf", ".png", ".svg")
_INSIDE, _LONGEST = 5, 32  # entries of a legend that find room in a panel, and letters of one


def draw(chart: Chart) -> Figure:
    """All panels of ``chart``; a long legend stands once, below them."""
    from matplotlib.figure import Figure

    columns = min(len(chart.panels), chart.columns)
    rows = -(-len(chart.panels) // columns)
    made = Figure(figsize=(chart.size[0] * columns, chart.size[1] * rows), layout="constrained")
    names, small = chart.names(), chart.size[0] < 4
    shared = len(names) > _INSIDE or max(map(len, names.values()), default=0) > _LONGEST
    entries: dict[str, Any] = {}
    for place, panel in enumerate(chart.panels):
        axis = made.add_subplot(rows, columns, place + 1)
        handles = _panel(axis, panel, small)
        entries = {**{names[series.key]: handle for series, handle in handles}, **entries}
        if handles and panel.legend and not shared:
            axis.legend([h for _, h in handles], [s.name for s, _ in handles], frameon=False, fontsize=6 if small else 8)
    if shared:
        beside = max(1, int(chart.size[0] * columns / (0.5 + 0.072 * max(map(len, entries)))))
        made.legend(
            list(entries.values()), list(entries), loc="outside lower center", ncols=beside, frameon=False, fontsize=8
        )  # fmt: skip
    return made


def _panel(axis: Any, panel: Panel, small: bool) -> list[tuple[Series, Any]]:
    """Draw one panel; the series that belong in a legend, with what stands for them."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(panel.title, fontsize=10 - small if len(panel.title) < 44 else 8, pad=14 if panel.regions else 6)
    if panel.heat:
        _heat(axis, panel.heat)
    elif not panel.bare:
        axis.grid(axis="y", linewidth=0.4, alpha=0.6)
    for number, region in enumerate(panel.regions):
        axis.axvspan(region.low, region.high, color=REGION, alpha=0.06 + 0.07 * number, linewidth=0, zorder=0)
        axis.annotate(
            region.name, ((region.low + region.high) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", fontsize=7, alpha=0.75,
        )  # fmt: skip
    drawn = [(series, _series(axis, series)) for series in panel.series]
    _scale(axis, panel.x, "x", small, keep=bool(panel.heat))
    _scale(axis, panel.y, "y", small, keep=bool(panel.heat))
    if panel.picture:
        _picture(axis, panel.picture)
    elif panel.bare:
        axis.yaxis.set_visible(False)
        axis.spines[:].set_visible(False)
    return [(series, handle) for series, handle in drawn if series.listed]


def _scale(axis: Any, made: Axis, which: str, small: bool, keep: bool) -> None:
    getattr(axis, f"set_{which}label")(made.title, fontsize=8 if small else 9 if len(made.title) > 36 else 10)
    if keep:
        return
    own = getattr(axis, f"{which}axis")
    if made.log:
        getattr(axis, f"set_{which}scale")("log")
    if made.ticks is not None:
        places, words = [place for place, _ in made.ticks], [word for _, word in made.ticks]
        slant = {"rotation": 45, "ha": "right"} if made.slanted else {}
        own.set_ticks(places, words, **slant)
        own.set_ticks([], minor=True)
    if made.low is not None or made.high is not None:
        getattr(axis, f"set_{which}lim")(made.low, made.high)


def _series(axis: Any, s: Series) -> Any:
    """Draw a series; what stands for it in a legend."""
    paint = ramp(s.shade) if s.shade is not None else colour(s.colour)
    number = s.colour or 0
    mark = {"marker": MARKERS[number % len(MARKERS)], "markersize": s.size} if s.marks else {}
    dash: Any = "--" if s.dashed else DASHES[number // len(MARKERS) % len(DASHES)]
    line = {"color": paint, "linewidth": s.width, "linestyle": "none" if s.kind == "points" else dash, **mark}
    if s.low:
        axis.fill_between(s.x, s.low, s.high, color=paint, alpha=0.15, linewidth=0)
    if s.kind == "step":
        (handle,) = axis.step(s.x, s.y, where="post", **line)
    elif s.error:
        handle = axis.errorbar(s.x, s.y, s.error, elinewidth=0.8, errorevery=s.every, **line)
    else:
        (handle,) = axis.plot(s.x, s.y, **line)
    if s.written:
        offset, ha, va = {
            "above": ((0, 4), "center", "bottom"),
            "above-left": ((0, 2), "left", "bottom"),
            "above-right": ((0, 2), "right", "bottom"),
        }[s.written]
        for x, y, word in zip(s.x, s.y, s.words, strict=True):
            axis.annotate(word, (x, y), xytext=offset, textcoords="offset points", ha=ha, va=va, fontsize=8)
    return handle


def _heat(axis: Any, heat: Heat) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    values = np.array([[np.nan if v is None else v for v in row] for row in heat.values], dtype=float)
    shades = LinearSegmentedColormap.from_list("lt", DIVERGING if heat.diverging else RAMP).with_extremes(bad="#DDDDDD")
    image = axis.imshow(values, cmap=shades, vmin=heat.low, vmax=heat.high, aspect="auto")
    axis.spines[:].set_visible(False)
    for which, words in (("x", heat.x), ("y", heat.y)):
        every = max(1, len(words) // 20)
        slant = {"rotation": 45, "ha": "right"} if which == "x" and max(map(len, words)) > 3 else {}
        getattr(axis, f"{which}axis").set_ticks(range(0, len(words), every), words[::every], fontsize=7, **slant)
    small = 7 if len(heat.x) <= 12 else 5
    for i, row in enumerate(heat.words):
        for j, word in enumerate(row):
            red, green, blue, _ = shades(image.norm(values[i, j]))
            ink = "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "white"
            axis.text(j, i, word, ha="center", va="center", fontsize=small, color=ink)
    bar = axis.figure.colorbar(image, ax=axis, shrink=0.9)
    bar.set_label(heat.unit, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)


def _picture(axis: Any, picture: Picture) -> None:
    with picture.sheet() as sheet:
        axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        height = sheet.height / len(picture.rows)
    axis.spines[:].set_visible(False)
    axis.set_xticks([])
    axis.set_yticks([(i + 0.5) * height for i in range(len(picture.rows))], picture.rows, fontsize=8)
    axis.tick_params(length=0)


def write(chart: Chart, file: Path) -> None:
    """Draw a chart into a file, as `save` does."""
    save(draw(chart), file)


def save(made: Figure, file: Path) -> None:
    """Write a figure, in the format of the file's suffix; the same figure gives the same bytes.

    Raises:
        UserError: another suffix, or a folder that cannot be written.
    """
    if file.suffix.lower() not in _SUFFIXES:
        raise UserError(f"'{file}' must end in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}")
    import matplotlib

    dated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(file.suffix.lower())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.hashsalt": "lt-bench", "svg.fonttype": "none"}):
            made.savefig(file, dpi=160, metadata=dated)
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}): give another --out") from None
