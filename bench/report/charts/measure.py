"""How much space text takes, in points, and how it is broken to fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

#: Where a long text may be broken: after a comma or a space (but not beside = or −, or before a number), and before a bracket.
_BREAKS = re.compile(r"(?<=, )|(?<=[ ,])(?<![=−] )(?![ =\d])|(?=[\[(])")
#: Where it may also be broken if that is not enough.
_MORE = re.compile("(?<=[_=])")
_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)


@lru_cache(maxsize=4096)
def extent(text: str, size: float) -> float:
    """The width of one line in a font of this size."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().x1) if text.strip() else 0.0


def widest(texts: Iterable[str], size: float) -> float:
    """The width of the widest line."""
    return max((extent(line, size) for text in texts for line in text.split("\n")), default=0.0)


def broken(text: str, room: float, size: float) -> str:
    """``text`` broken into as few lines as fit into the width ``room``, of about equal length."""
    if extent(text, size) <= room:
        return text
    pieces = [part for whole in _BREAKS.split(text) for part in ([whole] if extent(whole, size) <= room else _MORE.split(whole))]
    least = _filled(pieces, room, size)
    tries = (_filled(pieces, share * room, size) for share in _SHARES)
    return next((made for made in tries if made.count("\n") == least.count("\n") and widest([made], size) <= room), least)


def _filled(pieces: Iterable[str], room: float, size: float) -> str:
    lines = [""]
    for piece in pieces:
        if lines[-1] and extent((lines[-1] + piece).rstrip(), size) > room:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip() for line in lines)


def lines(texts: Iterable[str]) -> int:
    """The largest number of lines among ``texts``."""
    return max((text.count("\n") + 1 for text in texts), default=1)


def every(words: Sequence[str], room: float, size: float) -> int:
    """Label every so many ticks, so that ``words`` do not touch within the width ``room``: 1 for all, 2 for every second, …"""
    needed = (widest(words, size) + 0.6 * size) * len(words)
    return max(1, -int(-needed // max(room, 1.0)))
