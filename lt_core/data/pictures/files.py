"""Picture files on disk: one folder per class, or a list of paths and labels.

Paths of pictures stay text: for 100,000 files, `pathlib` takes three times as long as the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lt_core.data.pictures.layouts import GONE, Entry, in_order, numbered
from lt_core.errors import UserError
from lt_core.labels import counted

_SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".gif"])
_PARTS = {"train", "training", "test", "val", "valid", "validation"}


@dataclass(frozen=True)
class Files:
    """A `lt_core.data.pictures.layouts.Layout` that consists of the files below ``where``."""

    where: Path
    entries: Sequence[Entry]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def contents(self, start: int, stop: int) -> Iterator[bytes | OSError]:
        for entry in self.entries[start:stop]:
            path = os.path.join(self.where, entry.place)
            try:
                with open(path, "rb") as file:
                    yield file.read()
            except FileNotFoundError as error:
                yield OSError("it is a link to a file that does not exist") if os.path.islink(path) else error
            except OSError as error:
                yield error


def class_folders(where: Path) -> Files:
    """The pictures of ``where``, which contains one folder per class; the pictures are at any depth below.

    Raises:
        UserError: there is no such folder, a class has no picture, or links form a circle.
    """
    places = [path for path in sorted(where.iterdir()) if not path.name.startswith(".")]
    lost = next((path for path in places if path.is_symlink() and not path.exists()), None)
    if lost:
        raise UserError(f"{lost} is a broken link that may have been a class: repair it, or remove it")
    folders = [path for path in places if path.is_dir()]
    if folders and {path.name.lower() for path in folders} <= _PARTS:
        words = ", ".join(path.name for path in folders)
        raise UserError(
            f"{where} contains the splits of a set ({words}) rather than its classes: name a split, such as --train {folders[-1]}"
        )
    entries: list[Entry] = []
    others = 0
    for folder in folders:
        pictures, passed = pictures_below(where, folder.name)
        others += passed
        if not pictures:
            raise UserError(f"{folder}: this class has no pictures: remove the folder, or put pictures into it")
        entries += [_entry(where, place, folder.name) for place in pictures]
    if not entries:
        raise UserError(
            f"{where} has no folders with pictures: give a folder with one folder per class, a list, or Parquet files"
        )
    notes = (f"{counted(others, 'file')} skipped: not a picture by its file name",) if others else ()
    return Files(where, entries, in_order([folder.name for folder in folders]), notes)


def pictures_below(where: Path, folder: str) -> tuple[list[str], int]:
    """The pictures below a ``folder`` in ``where``, in order, and the number of other files there; links are followed."""
    pictures: list[str] = []
    top = os.path.join(where, folder)
    others, ways = 0, {top: {os.path.realpath(top)}}
    for here, inner, names in os.walk(top, followlinks=True):
        above = ways.pop(here)
        for name in inner:
            below = os.path.join(here, name)
            real = os.path.realpath(below)
            if real in above:
                raise UserError(f"{below} is a link back to {real}, which makes a circle: remove it")
            ways[below] = above | {real}
        place = os.path.relpath(here, where)
        for name in names:
            if name.startswith("."):
                continue
            if os.path.splitext(name)[1].lower() in _SUFFIXES:
                pictures.append(os.path.join(place, name))
            else:
                others += 1
    return sorted(pictures, key=lambda path: path.split(os.sep)), others


def listed(file: Path, root: Path | None = None) -> Files:
    """The pictures of a list file with lines ``relative/path label``, where labels count from 0; blank lines are skipped.

    Args:
        root: the folder that the paths are relative to; None: that of the list.

    Raises:
        UserError: a line does not have this form, a file is missing or has two labels, or the labels have gaps.
    """
    where = root or file.parent
    labels: dict[str, str] = {}
    lines = 0
    for number, line in enumerate(lines_of(file), 1):
        words = line.rsplit(maxsplit=1)
        if not words:
            continue
        if len(words) < 2 or not words[1].isdecimal():
            raise UserError(f"{file}, line {number}: '{line.strip()}' is not `relative/path label` with a label of 0, 1, …")
        place, label = words[0].strip(), str(int(words[1]))
        if labels.setdefault(place, label) != label:
            raise UserError(
                f"{file}, line {number}: {place} has label {label} here and {labels[place]} above: keep one of the two lines"
            )
        lines += 1
    if not labels:
        raise UserError(f"{file} does not list any pictures: each line must be `relative/path label`")
    entries = present(file, where, labels.items())
    twice = lines - len(labels)
    notes = (f"{counted(twice, 'line')} of {file.name} skipped: the picture is already listed",) if twice else ()
    return Files(where, entries, numbered(list(labels.values()), str(file)), notes)


def paired(pairs: Iterable[tuple[str | Path, str | int]], where: Path) -> Files:
    """The pictures of (path, label) pairs; a label is the number of a class or its name.

    Raises:
        UserError: there are no pairs, a file is missing, or the numbers have gaps.
    """
    known = [(str(place), label) for place, label in pairs]
    if not known:
        raise UserError("the list of (path, label) pairs is empty")
    labels = [str(label) for _, label in known]
    by_number = all(isinstance(label, int) for _, label in known)
    entries = present("the list of pairs", where, zip((place for place, _ in known), labels, strict=True))
    return Files(where, entries, numbered(labels, "the list of pairs") if by_number else in_order(labels))


def lines_of(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").split("\n")  # splitlines would split at more characters
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not a list of pictures, because it is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from None


def present(names: str | Path, where: Path, pairs: Iterable[tuple[str, str]]) -> list[Entry]:
    """The pictures of (path, label) pairs below ``where``; messages call the source of the pairs ``names``.

    Raises:
        UserError: some pictures are missing.
    """
    entries: list[Entry] = []
    missing: list[str] = []
    for place, label in pairs:
        entry = _entry(where, place, label)
        entries.append(entry)
        if entry.mtime == GONE:
            missing.append(place)
    if missing:
        raise UserError(
            f"{names} names {counted(len(missing), 'file')} missing below {where} (first: {missing[0]}): add them, or give "
            "the folder that the paths are relative to as root"
        )
    return entries


def _entry(where: Path, place: str, label: str) -> Entry:
    # Python represents bytes of a name that are not UTF-8 as these surrogates.
    if not place.isascii() and any("\ud800" <= letter <= "\udfff" for letter in place):
        raise UserError(f"{where}: the file name {place!r} is not valid UTF-8: rename the file")
    try:
        status = os.stat(os.path.join(where, place))
    except (OSError, ValueError):  # it is missing, a broken link or not permitted, or no file can have this name
        return Entry(place, label, 0, GONE)
    return Entry(place, label, status.st_size, status.st_mtime_ns)
