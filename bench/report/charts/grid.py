"""Which panels are placed side by side, and how much space each has."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from bench.report.charts.chart import Chart, Panel
from bench.report.charts.measure import broken, lines, widest
from bench.report.charts.style import Look

# Lengths are in letters: multiples of the font size.
_LINE = 1.2  # line height
_ROW, _CLOSE = 0.6, 0.06  # space between named rows, and if the figure must be low
_LOW = 0.75  # the height of other axes then, relative to the usual one
_NAMED = 0.38  # largest share of a panel's width for the names of its rows
_TALLEST, _LOWEST = 22.0, 9.0  # largest height of axes (unless their rows need more), and least height of a matrix
_BAR = 6.5  # width of a matrix's colour bar
_TICKS = 12  # the most rows or columns of a matrix that are named


@dataclass(frozen=True)
class Room:
    """The space of a panel, in points.

    Attributes:
        width, height: of the axes alone.
        all: height including titles, ticks and labels.
        names: names of the rows, broken to fit.
        title: the panel's title, broken to fit, or "" if the panel before it has the same.
        spans: whether the title is that of the panels to the right too, and is written from the left.
        titled_x, titled_y: whether the axes have titles. A title that the panel below, or the neighbour to the left, has too is
            written once.
    """

    width: float
    height: float
    all: float
    names: tuple[str, ...]
    title: str
    spans: bool = False
    titled_x: bool = True
    titled_y: bool = True


@dataclass(frozen=True)
class Place:
    panel: Panel
    row: int
    column: int
    room: Room
    bar: bool  # whether a colour bar stands to its right, which it may share with the panels to its left


def places(chart: Chart, look: Look, columns: int, low: bool = False) -> tuple[list[Place], list[float]]:
    """The panels of a chart, ``columns`` of them side by side, and the height of each row; with ``low`` axes if the figure must
    be lower.
    """
    rows: list[list[Panel]] = []
    for panel in chart.panels:
        if not rows or len(rows[-1]) == columns or (panel.starts_row and columns > 1):
            rows.append([])
        rows[-1].append(panel)
    at: dict[tuple[int, int], Panel] = {}
    for i, row in enumerate(rows):
        whole = i + 1 == len(rows) or rows[i + 1][0].starts_row  # a row that goes on is filled from the left
        shift = columns - len(row) if row[0].heat and row[0].starts_row and whole else 0  # differences below their methods
        at |= {(i, shift + j): panel for j, panel in enumerate(row)}
    bars = {place for place, panel in at.items() if panel.heat and not _same_scale(panel, at.get((place[0], place[1] + 1)))}
    barred = len({j for _, j in bars})
    found: list[Place] = []
    for (i, j), panel in at.items():
        left, below = at.get((i, j - 1)), at.get((i + 1, j))
        titled = below is None or below.x.title != panel.x.title, left is None or left.y.title != panel.y.title
        named = left is None or titled[1] or _names(left) != _names(panel)
        alike = sum(other.title == panel.title for other in rows[i])  # they stand beside each other
        shown = replace(panel, title="") if found and found[-1].panel.title == panel.title else panel
        room = _room(shown, chart.aspect, look, columns, barred, titled, named, low, alike)
        found.append(Place(panel, i, j, room, bar=(i, j) in bars))
    return found, [max(place.room.all for place in found if place.row == i) for i in range(len(rows))]


def _same_scale(panel: Panel, other: Panel | None) -> bool:
    return bool(other and panel.heat and other.heat and panel.heat.scale == other.heat.scale)


def _names(panel: Panel) -> tuple[str, ...]:
    """The names written at the rows."""
    return panel.picture.rows if panel.picture else panel.heat.y[:: step(panel.heat.y)] if panel.heat else panel.rows


def _room(
    panel: Panel, aspect: float, look: Look, columns: int, barred: int, titled: tuple[bool, bool], named: bool,
    low: bool, alike: int,
) -> Room:  # fmt: skip
    """The space of a panel. ``barred``: how many columns of matrices have a colour bar at their right; ``alike``: over how many
    panels the title extends.
    """
    em, small, width = look.font, look.small, look.points / columns
    names = tuple(broken(name, _NAMED * width, small) for name in _names(panel))
    left = widest(names, small) + 1.5 * em if names else 0.5 * em if panel.bare or panel.y.ticks == () else 3 * em
    left += lines([panel.y.title]) * 1.7 * em if panel.y.title else 0.0
    if panel.heat:  # one column has the names and some have colour bars, but all are equally wide
        left, right = left / columns, _BAR * em * barred / columns
    else:
        right = em + max((widest(s.words, small) for s in panel.series if s.written), default=0.0)
    inner = max(width - left - right, 5 * em)
    tall = min(aspect * inner, _TALLEST * em) * (_LOW if low else 1)
    if names:
        tall = len(names) * (lines(names) * _LINE + (_CLOSE if low else _ROW)) * small
    if panel.heat:
        tall = max(tall, _LOWEST * em)
    if panel.picture:
        with panel.picture.sheet() as sheet:
            tall = inner * sheet.height / sheet.width
    title = broken(panel.title, inner + (alike - 1) * width, em)
    above = lines([title]) * _LINE * em * bool(title) + (1.5 * em if panel.regions else 0.5 * em)
    under = 0.0 if panel.bare or panel.x.ticks == () else _under(panel, inner, look) + 0.7 * em
    if panel.x.title and titled[0]:
        under += (lines([broken(panel.x.title, inner, em)]) * _LINE + 0.4) * em
    return Room(inner, tall, above + tall + under + 0.6 * em, names if named else ("",) * len(names), title, alike > 1, *titled)


def _under(panel: Panel, inner: float, look: Look) -> float:
    """Height of the words at the x ticks."""
    words = tuple(word for _, word in panel.x.ticks or ()) if panel.x.slanted else panel.heat.x if panel.heat else ()
    return widest(words, look.small) * 0.75 + look.small if panel.x.slanted or slants(panel, inner, look) else 1.2 * look.small


def slants(panel: Panel, inner: float, look: Look) -> bool:
    """Whether the names of a matrix's columns are too long to stand beside each other."""
    if panel.heat is None or panel.heat.numbered:
        return False
    names = panel.heat.x[:: step(panel.heat.x)]
    return (widest(names, look.small) + 0.5 * look.small) * len(names) > inner


def step(names: tuple[str, ...]) -> int:
    """Name every so many rows or columns of a matrix: 1, 2, 5, 10, …"""
    steps = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    return next(every for every in steps if len(names) <= every * _TICKS)
