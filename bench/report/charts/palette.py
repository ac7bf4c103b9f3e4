"""Colours, marks and dashes. Series also differ in marks or dashes, so that nobody depends on colour to distinguish them."""

from __future__ import annotations

from collections.abc import Sequence

#: Okabe and Ito's colours, which colour-blind readers can distinguish, with two changes: black comes first, because it is the
#: text colour of the page, and purple replaces yellow, which can hardly be seen on white.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#7F3C8D")
QUIET = "#8C8C8C"
#: The same marks and dashes, as matplotlib and plotly name them. There is one mark more than there are colours, so that 72 series
#: have different pairs of colour and mark.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
WEB_MARKERS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "triangle-left")
#: Five, because colours that are five places apart also differ in grey.
DASHES = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)))
WEB_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
#: Less … more. Wherever one of the two is better, blue is better.
DIVERGING = ("#D55E00", "#F7F7F7", "#0072B2")
#: The same on a dark page, where a white middle would glare.
DARK_DIVERGING = ("#D55E00", "#2A2E36", "#0072B2")
#: Few … many (viridis).
RAMP = ("#440154", "#46327E", "#365C8D", "#277F8E", "#1FA187", "#4AC16D", "#A0DA39", "#FDE725")
_DARK = 5  # the first of these, which are dark enough for lines on white
REGION = "#808080"


def colour(number: int | None) -> str:
    """The colour of the series with this number."""
    return QUIET if number is None else COLOURS[number % len(COLOURS)]


def luminance(red: float, green: float, blue: float) -> float:
    """The relative luminance of a colour whose components are in 0…1 (WCAG 2.2).

    >>> luminance(1, 1, 1), luminance(0, 0, 0)
    (1.0, 0.0)
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ink(red: float, green: float, blue: float) -> str:
    """Black or white, whichever is more legible on that colour; the contrast is at least 4.58."""
    return "black" if luminance(red, green, blue) > 0.179 else "white"


def ramp(place: float) -> str:
    """The colour at ``place`` in 0…1 on the dark end of the ramp, from green to violet: later places are darker."""
    at = (1 - min(max(place, 0.0), 1.0)) * (_DARK - 1)
    low = min(int(at), _DARK - 2)
    return "#" + "".join(f"{round(255 * part):02X}" for part in blend(RAMP[low : low + 2], at - low))


def blend(scale: Sequence[str], place: float) -> tuple[float, float, float]:
    """Red, green and blue in 0…1 at ``place`` in 0…1 on a scale of colours at equal distances.

    >>> blend(("#000000", "#FFFFFF"), 0.5)
    (0.5, 0.5, 0.5)
    """
    at = min(max(place, 0.0), 1.0) * (len(scale) - 1)
    low = min(int(at), len(scale) - 2)
    ends = [[int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)] for code in scale[low : low + 2]]
    red, green, blue = (a + (at - low) * (b - a) for a, b in zip(*ends, strict=True))
    return red, green, blue
