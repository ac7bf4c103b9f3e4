"""Colours, marks and dashes: series also differ in their marks or dashes, so that colour is never needed to tell them apart."""

from __future__ import annotations

#: Okabe and Ito's colours, told apart by the colour-blind; black first, which is the ink of the page, and purple in place of
#: their yellow, which nobody sees on white.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#7F3C8D")
QUIET = "#8C8C8C"
#: As matplotlib and plotly call the same marks and dashes.
#: One more than colours, so that 72 series differ in one of the two.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
WEB_MARKERS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "triangle-left")
#: Five, since colours five places apart differ in grey too.
DASHES = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)))
WEB_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
#: Less … more; blue is better wherever one of the two is better.
DIVERGING = ("#D55E00", "#F7F7F7", "#0072B2")
#: Few … many (viridis).
RAMP = ("#440154", "#46327E", "#365C8D", "#277F8E", "#1FA187", "#4AC16D", "#A0DA39", "#FDE725")
_DARK = 5  # of those, colours in which lines can be seen on white
REGION = "#808080"


def colour(number: int | None) -> str:
    """The colour of the series with this number."""
    return QUIET if number is None else COLOURS[number % len(COLOURS)]


def luminance(red: float, green: float, blue: float) -> float:
    """The relative luminance of a colour whose parts are in 0…1 (WCAG 2.2).

    >>> luminance(1, 1, 1), luminance(0, 0, 0)
    (1.0, 0.0)
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ink(red: float, green: float, blue: float) -> str:
    """Black or white, whichever can be read better on that colour: with a contrast of 4.58 or more."""
    return "black" if luminance(red, green, blue) > 0.179 else "white"


def ramp(place: float) -> str:
    """The colour at ``place`` in 0…1 of the dark part of the ramp, from green to violet: the darker, the later."""
    at = (1 - min(max(place, 0.0), 1.0)) * (_DARK - 1)
    low = min(int(at), _DARK - 2)
    ends = [[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in RAMP[low : low + 2]]
    return "#" + "".join(f"{round(a + (at - low) * (b - a)):02X}" for a, b in zip(*ends, strict=True))
