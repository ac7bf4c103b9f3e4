"""Where methods look, as a section of the page: pictures with heat maps that `explain` left in the run's folder.

The page is made without torch, so it cannot make heat maps itself.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.records.store import Store

_FILES = "explain-*.json"
_MOST = 2_000_000  # the most bytes of all these files together; one file of `explain` has about a tenth of that
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class View:
    """A picture, alone or with a method's heat map over it.

    Attributes:
        image: PNG in base64.
        words: the caption after the label.
        right: whether the method predicts the picture's class; None for the picture alone.
    """

    image: str
    label: str
    words: str
    right: bool | None = None


@dataclass(frozen=True)
class Look:
    """Heat maps of several methods over the same pictures.

    Attributes:
        rows: for each picture, the picture itself and each method's view of it.
    """

    title: str
    notes: tuple[str, ...]
    rows: tuple[tuple[View, ...], ...]


def keep(look: Look, figure: Path) -> None:
    """Write ``look`` next to the ``figure`` with the same content, where `looks` finds it.

    Raises:
        OSError: the folder cannot be written.
    """
    figure.with_suffix(".json").write_text(json.dumps(asdict(look), ensure_ascii=False, indent=1), encoding="utf-8")


def looks(store: Store) -> tuple[list[Look], list[tuple[str, str]]]:
    """The looks in the run's folder, in order of file name; and (file, reason) for files that are left out.

    The run may come from somebody else, so a file may contain anything.
    """
    found, left_out, room = [], [], _MOST
    for file in sorted((store.path / "plots").glob(_FILES)):
        name = f"plots/{file.name}"
        try:
            size = file.stat().st_size
            if size > room:
                left_out.append((name, f"would make the page larger than it may be: see {name.removesuffix('.json')}.svg"))
                continue
            found.append(_read(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            left_out.append((name, "is damaged: run `bench.py explain` again"))
        else:
            room -= size
    return found, left_out


def _read(text: str) -> Look:
    told = json.loads(text)
    rows = tuple(tuple(_view(view) for view in row) for row in told["rows"])
    if not rows or not all(rows):
        raise ValueError("no picture")
    return Look(str(told["title"]), tuple(map(str, told["notes"])), rows)


def _view(told: dict[str, Any]) -> View:
    view = View(**told)
    image = base64.b64decode(view.image, validate=True)
    if not image.startswith(_PNG) or not isinstance(view.right, bool | None):
        raise ValueError("not what `keep` writes")
    return view
