"""Values as plotly.js takes them: escaped text, numbers of five digits, and the looks of a series."""

from __future__ import annotations

import math
from typing import Any

from bench.report.charts.chart import Series
from bench.report.charts.palette import MARKERS, WEB_DASHES, WEB_MARKERS, colour, ramp


def paint(s: Series) -> str:
    """The colour of a series."""
    return ramp(s.shade) if s.shade is not None else colour(s.colour)


def marker(s: Series) -> str:
    """plotly's name for the shape of its points."""
    return WEB_MARKERS[(s.colour or 0) % len(WEB_MARKERS)]


def dash(s: Series) -> str:
    """plotly's name for the dashes of its line."""
    number = s.colour or 0
    return (
        "dash"
        if s.dashed
        else "solid"
        if s.kind == "bar"
        else WEB_DASHES[(number // len(MARKERS) if s.marks else number) % len(WEB_DASHES)]
    )


def numbers(values: Any) -> list[float | None]:
    """Each of ``values`` as `short` writes it."""
    return [short(v) for v in values]


def short(value: float | None) -> float | None:
    """Five digits, because nobody could see more, and None where there is no finite value."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def safe(text: str) -> str:
    """Escape text, because plotly interprets some HTML in it, which also breaks its lines."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
