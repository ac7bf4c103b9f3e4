"""What a chart contains, independently of how it looks."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Axis:
    """``title`` names the quantity with its unit. ``ticks`` are places with their words; None leaves them to the renderer."""

    title: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None
    ticks: tuple[tuple[float, str], ...] | None = None
    slanted: bool = False  # long words under the ticks

    def holds(self, values: Sequence[float]) -> bool:
        """Whether the axis has ends of its own, with all ``values`` between them or on them.

        >>> Axis(low=0, high=100).holds([5, 100]), Axis(low=0).holds([-1]), Axis().holds([5])
        (True, False, False)
        """
        if self.low is None and self.high is None:
            return False
        return all((self.low is None or self.low <= v) and (self.high is None or v <= self.high) for v in values)


@dataclass(frozen=True)
class Series:
    """The points of one series. Its spread is a band (``low``, ``high``) or error bars (``error``, half their length)."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: str = "line"  # line, points, step, or bar (an interval)
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    error: tuple[float, ...] = ()
    every: int = 1  # draw every so many error bars, so that a hundred classes stay legible
    colour: int | None = 0  # number of the colour, marker and dash in the palette; None for the quiet colour
    shade: float | None = None  # place in 0…1 on a ramp, instead of a colour, where order matters
    group: str = ""  # its entry in the legend, if that differs from the name; shared by all panels
    listed: bool = True  # whether it is in the legend
    marks: bool = True
    size: float = 4.0  # of a mark, in points
    width: float = 1.2
    dashed: bool = False
    words: tuple[str, ...] = ()  # words about each point
    written: bool = False  # show these words at the end of the row (on the page: above the point), not only on hovering

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
        """Whatever the scale depends on: matrices with the same scale share one colour bar."""
        return self.unit, self.low, self.high, self.diverging

    @property
    def numbered(self) -> bool:
        """Whether rows and columns have the same names. On paper, these are then written only at the rows, and the columns show
        the numbers of the rows.
        """
        return self.x == self.y


@dataclass(frozen=True)
class Picture:
    """An image of named rows; ``png`` in base64."""

    png: str
    rows: tuple[str, ...]

    def sheet(self) -> Image.Image:
        """The image."""
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
    rows: tuple[str, ...] = ()  # names of the y ticks, from the top, if each is a row of its own, as in a table
    bare: bool = False  # without y axis and grid, as a diagram
    legend: bool = True
    starts_row: bool = False  # whether a new row of panels begins here


@dataclass(frozen=True)
class Chart:
    """Panels, with the notes needed to read them."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    columns: int = 3  # the most panels side by side on paper
    least: float = 19.0  # the least width of a panel on paper, in letters; narrower ones get fewer columns
    smallest: float = 13.5  # and narrower, if the figure would otherwise be higher than a page
    aspect: float = 0.72  # height of a panel divided by its width, unless named rows or a picture determine it

    def names(self) -> dict[str, str]:
        """Entries of the legend, in order: key → the name of its series if it is the same in all panels, else the key."""
        found: dict[str, str] = {}
        for s in (s for panel in self.panels for s in panel.series if s.listed):
            found[s.key] = s.name if found.get(s.key, s.name) == s.name else s.key
        return found
