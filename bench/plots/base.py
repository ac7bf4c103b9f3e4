"""What all figures share: colours, paper, and files."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lt_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, told apart by the colour-blind; black first.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_SUFFIXES = (".pdf", ".png", ".svg")


def figure(panels: int, width: float = 4.6, height: float = 3.4, columns: int = 3) -> tuple[Figure, list[Any]]:
    """An empty figure with ``panels`` axes, at most ``columns`` beside each other; sizes of a panel in inches."""
    from matplotlib.figure import Figure

    columns = min(panels, columns)
    rows = -(-panels // columns)
    made = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = [made.add_subplot(rows, columns, i + 1) for i in range(panels)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", linewidth=0.4, alpha=0.6)
    return made, axes


def chosen(frame: pd.DataFrame, only: str) -> pd.DataFrame:
    """The rows of ``frame`` whose method or label the glob matches.

    Raises:
        UserError: none.
    """
    names = zip(frame["method"], frame["label"], strict=True)
    kept = frame[[fnmatch.fnmatchcase(method, only) or fnmatch.fnmatchcase(label, only) for method, label in names]]
    if kept.empty and len(frame):
        raise UserError(f"--only '{only}' matches no method of the run, which has {', '.join(dict.fromkeys(frame['label']))}")
    return kept


def style(number: int) -> dict[str, Any]:
    """Colour and marker of the line with this number."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def write(made: Figure, file: Path) -> None:
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
