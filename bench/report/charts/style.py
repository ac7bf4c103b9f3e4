"""How large a figure is drawn: for one or two columns of a paper, or for slides. Imports nothing slow."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lt_core.errors import UserError, unknown

#: Suffixes of the files that a figure can be written to.
FORMATS = ("pdf", "svg", "png")
#: Smallest and largest font size, in points, for which layouts work.
SMALLEST, LARGEST = 5.0, 24.0


@dataclass(frozen=True)
class Look:
    """``width`` of the figure in inches, size of its ``font`` in points, ``weight`` of its lines and marks relative to those on
    paper, dots per inch of a PNG (``dpi``), and the largest ``height`` in inches.

    >>> Look(3.25, 8).small
    7.0
    """

    width: float
    font: float
    weight: float = 1.0
    dpi: int = 300
    height: float = 9.0

    @property
    def small(self) -> float:
        """Font size, in points, of ticks and legends."""
        return self.font * 7 / 8

    @property
    def points(self) -> float:
        """Width of the figure in points."""
        return 72 * self.width

    @property
    def narrow(self) -> bool:
        """Whether there is a wider look."""
        return self.width in [one.width for one, _ in STYLES.values()]


#: Name → the look of a figure over one column, and over two. On paper they fit CVPR, IEEE and ACM; a slide has
#: 13.3 × 7.5 inches.
STYLES = {
    "paper": (Look(3.25, 8.0), Look(6.75, 8.0)),
    "slides": (Look(6.0, 16.0, 1.8, 150, 7.5), Look(12.0, 16.0, 1.8, 150, 7.5)),
}
PAPER = STYLES["paper"][1]


def look(style: str = "paper", columns: int = 2, font: float | None = None) -> Look:
    """The look of a figure over ``columns`` columns, 1 or 2; ``font`` replaces the style's font size, in points.

    >>> look("paper", columns=1).width
    3.25

    Raises:
        UserError: there is no such style or width, or the font size is outside `SMALLEST` … `LARGEST`.
    """
    if style not in STYLES:
        raise unknown("style", style, STYLES)
    if columns not in (1, 2):
        raise UserError(f"--columns {columns}: a figure is as wide as one column or two: give 1 or 2")
    chosen = STYLES[style][columns - 1]
    if font is None:
        return chosen
    if not SMALLEST <= font <= LARGEST:
        raise UserError(f"--font-size {font:g}: give a size between {SMALLEST:g} and {LARGEST:g} points")
    return replace(chosen, font=font)
