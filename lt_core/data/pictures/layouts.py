"""Where pictures lie and what their labels are: a layout gives its entries in order, and their contents a stretch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lt_core.errors import UserError

#: ``mtime`` of a file that cannot be looked at.
GONE = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture: ``place`` is its path below the layout's folder, in a table with the row behind ``#``; ``bytes`` and ``mtime``
    (nanoseconds) are those of the file on disk."""

    place: str
    label: str
    bytes: int
    mtime: int


class Layout(Protocol):
    """Pictures and their labels. Entries have an order, in which their contents are quickest to read."""

    @property
    def where(self) -> Path:
        """The folder that places are below."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All pictures."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class is called, in the order `in_order` of the labels."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was met and passed over."""

    def contents(self, start: int, stop: int) -> Iterator[bytes | OSError]:
        """What the files of these entries hold, or why that cannot be read."""


def in_order(labels: Sequence[str]) -> tuple[str, ...]:
    """Different ``labels``: numbers by their value, else by alphabet. A label's place is its class."""
    different = sorted(set(labels))
    return tuple(sorted(different, key=int) if all(label.isdecimal() for label in different) else different)


def numbered(labels: Sequence[str], where: str) -> tuple[str, ...]:
    """Labels that are class numbers, in order.

    Raises:
        UserError: some number between 0 and the largest does not occur.
    """
    found = {int(label) for label in labels}
    missing = [number for number in range(max(found) + 1) if number not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"{where}: labels go up to {max(found)}, but no picture has label {missing[0]}{more}: number the classes from 0 "
            "without gaps"
        )
    return tuple(str(number) for number in range(max(found) + 1))
