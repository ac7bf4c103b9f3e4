"""What a chart is, before its looks are decided."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Axis:
    """``title`` names the quantity with its unit. ``ticks``: places and their words; None: the renderer's choice."""

    title: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None
    ticks: tuple[tuple[float, str], ...] | None = None
    slanted: bool = False  # long words under the ticks


@dataclass(frozen=True)
class Series:
    """The points of one series. Its spread is a band (``low``, ``high``) or bars (``error``, half their length)."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: str = "line"  # line, points, step, or bar, which is an interval
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    error: tuple[float, ...] = ()
    every: int = 1  # of the bars, so that a hundred classes stay legible
    colour: int | None = 0  # number in the palette, and of its marker and dash; None: quiet
    shade: float | None = None  # place in 0…1 on a ramp, in place of a colour, where order matters
    group: str = ""  # its entry in the legend, where that differs from the name; one switch for all panels
    listed: bool = True  # in the legend
    marks: bool = True
    size: float = 4.0  # of a mark, in points
    width: float = 1.2
    dashed: bool = False
    words: tuple[str, ...] = ()  # said of each point
    written: bool = False  # those words stand at the end of the row, on the page above the point; else only on hovering

    @property
    def key(self) -> str:
        return self.group or self.name


@dataclass(frozen=True)
class Heat:
    """A matrix of coloured cells, first row on top; None is an empty cell."""

    x: tuple[str, ...]
    y: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: str
    words: tuple[tuple[str, ...], ...] = ()  # written into the cells
    low: float | None = None
    high: float | None = None
    diverging: bool = False  # around zero: blue is more, vermilion less

    @property
    def scale(self) -> tuple[object, ...]:
        """Matrices with the same scale share one colour bar."""
        return self.unit, self.low, self.high, self.diverging

    @property
    def numbered(self) -> bool:
        """A matrix whose rows and columns have the same names: they are written once, at the rows; on paper, columns show row
        numbers.
        """
        return self.x == self.y


@dataclass(frozen=True)
class Picture:
    """Rows of pixels, each named; ``png`` in base64."""

    png: str
    rows: tuple[str, ...]

    def sheet(self) -> Image.Image:
        """The pixels."""
        from PIL import Image

        return Image.open(io.BytesIO(base64.b64decode(self.png)))


@dataclass(frozen=True)
class Region:
    """A shaded stretch of the x axis, such as the many-shot classes."""

    low: float
    high: float
    name: str


@dataclass(frozen=True)
class Panel:
    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...] = ()
    heat: Heat | None = None
    picture: Picture | None = None
    regions: tuple[Region, ...] = ()
    rows: tuple[str, ...] = ()  # names of the ticks of y, from the top, where each is a row of its own, as in a table
    bare: bool = False  # without y axis and grid: a diagram
    legend: bool = True
    starts_row: bool = False  # of panels that belong together


@dataclass(frozen=True)
class Chart:
    """Panels, with the notes needed to read them."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    columns: int = 3  # panels beside each other on paper
    least: float = 19.0  # width of a panel on paper, in letters, below which fewer stand beside each other
    aspect: float = 0.72  # height of a panel over its width, unless rows with names or a picture decide

    def names(self) -> dict[str, str]:
        """Entries of the legend, in order: key → its series' name if that is the same in all panels, else the key."""
        found: dict[str, str] = {}
        for s in (s for panel in self.panels for s in panel.series if s.listed):
            found[s.key] = s.name if found.get(s.key, s.name) == s.name else s.key
        return found
