"""Where pictures are and which labels they have: a layout gives its entries in order, and the contents of a range of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lt_core.errors import UserError

#: ``mtime`` of a file that is missing or cannot be accessed.
GONE = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture. ``place`` is its path below the layout's folder; in a table it is the table's path, ``#`` and the row. ``bytes``
    and ``mtime`` (nanoseconds) are those of the file on disk.
    """

    place: str
    label: str
    bytes: int
    mtime: int


class Layout(Protocol):
    """Pictures and their labels. Contents are quickest to read in the order of the entries."""

    @property
    def where(self) -> Path:
        """The folder to which places are relative."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All pictures."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class, in the order of `in_order` of the labels."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what was found and left out."""

    def contents(self, start: int, stop: int) -> Iterator[bytes | OSError]:
        """The content of each of these entries' files, or the error if it cannot be read."""


def in_order(labels: Sequence[str]) -> tuple[str, ...]:
    """The different ``labels``, by value if they are numbers, else alphabetically. A label's place in this order is its class."""
    different = sorted(set(labels))
    return tuple(sorted(different, key=int) if all(label.isdecimal() for label in different) else different)


def numbered(labels: Sequence[str], where: str) -> tuple[str, ...]:
    """Labels that are class numbers, in order.

    Raises:
        UserError: some number from 0 to the largest does not occur.
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
