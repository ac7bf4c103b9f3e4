"""Decoding a set: each file is read once, hashed, decoded and entered in the manifest, in pieces that survive a killed process.

Pixels are stored in the order in which the files are found, so that one pass over them is enough. Row numbers say which pictures
are for training and which for test, and in which order a set has them (`lt_core.data.pictures.parts`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
from filelock import FileLock

from lt_core.cache import cache_dir
from lt_core.data.mapped import let_go
from lt_core.data.pictures.decode import VERSION, Unreadable, decoded
from lt_core.data.pictures.intact import digest_of, intact
from lt_core.data.pictures.layouts import Entry, Layout
from lt_core.data.pictures.manifest import NUMBERS, TEXT, write_manifest
from lt_core.errors import UserError
from lt_core.whole_files import replacing

_PIECE = 256  # pictures
_AT_ONCE = 32  # files whose contents are in memory at once
_THREADS = min(16, os.cpu_count() or 1)  # PIL lets other threads run while it decodes
#: Is called with the number of pictures that are done, and with the number of all.
Progress = Callable[[int, int], None]
#: Layouts, each after the split that its pictures belong to: train, test or validation.
Layouts = Sequence[tuple[str, Layout]]

_telling: ContextVar[Callable[[str], Progress] | None] = ContextVar("telling", default=None)


@contextmanager
def telling(progress: Callable[[str], Progress]) -> Iterator[None]:
    """In this block, each decoding of a set reports to ``progress(name of the set)`` how far it is."""
    token = _telling.set(progress)
    try:
        yield
    finally:
        _telling.reset(token)


def progress_of(name: str) -> Progress:
    """The function to which the decoding of the set ``name`` reports; see `telling`."""
    tell = _telling.get()
    return tell(name) if tell else lambda done, total: None


def pictures_dir() -> Path:
    """The folder of the decoded pictures of all sets."""
    return cache_dir() / "pictures"


def key_of(layouts: Layouts, size: int) -> str:
    """The name under which pictures are decoded: a hash of each file's path, label, size and time, and of the size in pixels."""
    digest = hashlib.sha256(f"{VERSION} {size}".encode())
    for part, layout in layouts:
        digest.update(f"\n{part} {layout.where}".encode("utf-8", "surrogateescape"))
        for entry in layout.entries:
            digest.update(f"\n{entry.place}\t{entry.label}\t{entry.bytes}\t{entry.mtime}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def gigabytes(pictures: int, size: int) -> float:
    """Gigabytes that so many ``pictures`` take when decoded at ``size`` × ``size`` pixels."""
    return pictures * size * size * 3 / 1e9


def make(layouts: Layouts, size: int, progress: Progress) -> str:
    """Decode all pictures, unless that has been done, and return the name of their folder in the cache.

    If two processes ask at the same time, only one decodes. If a process is killed, the next one continues with its pieces.

    Raises:
        UserError: the cache has too little room, or cannot be written.
    """
    key = key_of(layouts, size)
    folder = pictures_dir() / key
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{key}.lock")):
            if not intact(folder):  # otherwise it exists, or another process has made it in the meantime
                _make(folder, layouts, size, progress)
    except OSError as error:
        raise UserError(
            f"decoded pictures cannot be stored in {folder.parent} ({error.strerror or error}): set LT_CACHE to a folder with "
            "enough space"
        ) from error
    return key


def _make(folder: Path, layouts: Layouts, size: int, progress: Progress) -> None:
    work = folder.with_name(f".{folder.name}")
    work.mkdir(exist_ok=True)
    total = sum(len(layout.entries) for _, layout in layouts)
    pixels = _opened(work / "pixels.npy", (total, size, size, 3))
    columns: dict[str, list[Any]] = {column: [] for column in (*TEXT, *NUMBERS)}
    digests: list[str] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        for start, part, layout, first, last in _pieces(layouts):
            rows = pixels[start : start + last - first]
            record = work / f"piece-{start:09d}.json"
            piece = _read_piece(record, rows)
            if piece is None:
                one = partial(_one, part=part, where=str(layout.where), size=size)
                contents = layout.contents(first, last)
                files: list[dict[str, Any]] = []
                for at in range(first, last, _AT_ONCE):  # because `map` would read all contents at once
                    entries = layout.entries[at : min(at + _AT_ONCE, last)]
                    files += threads.map(one, entries, islice(contents, len(entries)), rows[at - first :])
                pixels.flush()
                piece = {"files": files, "pixels": digest_of(rows)}
                _write(record, json.dumps(piece))
            let_go(pixels)
            for column, values in columns.items():
                values += [intern(file[column]) if column in TEXT else file[column] for file in piece["files"]]
            digests.append(piece["pixels"])
            progress(start + last - first, total)
    write_manifest(work, columns, {"size": size, "piece": _PIECE, "pixels": digests, "version": VERSION})
    for record in work.glob("*piece-*"):
        record.unlink()
    shutil.rmtree(folder, ignore_errors=True)  # it only exists if it is damaged
    work.replace(folder)


def _pieces(layouts: Layouts) -> Iterator[tuple[int, str, Layout, int, int]]:
    """(first row, split, layout, first entry, entry after the last) of each piece; no piece spans two layouts."""
    row = 0
    for part, layout in layouts:
        count = len(layout.entries)
        for first in range(0, count, _PIECE):
            yield row + first, part, layout, first, min(first + _PIECE, count)
        row += count


def _opened(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """The file of pixels: the one that an earlier process left, or a new one."""
    try:
        pixels: np.memmap = np.load(path, mmap_mode="r+")
        if pixels.shape == shape:
            return pixels
    except (OSError, ValueError, EOFError):
        pass
    needed, free = int(np.prod(shape)), shutil.disk_usage(path.parent).free
    if needed > free:
        raise UserError(
            f"{shape[0]:,} pictures take {needed / 1e9:.1f} GB when decoded at {shape[1]} pixels, and {path.parents[1]} has "
            f"{free / 1e9:.1f} GB free: choose a smaller --size, or set LT_CACHE to a folder with enough space"
        )
    made: np.memmap = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return made


def _one(entry: Entry, content: bytes | OSError, row: np.ndarray, part: str, where: str, size: int) -> dict[str, Any]:
    """Decode one picture into ``row``, and return its line of the manifest."""
    known = {**asdict(entry), "part": part, "where": where, "width": 0, "height": 0, "note": "", "sha256": "", "problem": ""}
    if isinstance(content, OSError):
        return {**known, "problem": content.strerror or str(content)}
    known["sha256"] = hashlib.sha256(content).hexdigest()
    try:
        picture = decoded(content, size)
    except Unreadable as error:
        return {**known, "problem": str(error)}
    row[:] = picture.pixels
    return {**known, "width": picture.width, "height": picture.height, "note": picture.note}


def _read_piece(record: Path, rows: np.ndarray) -> dict[str, Any] | None:
    """What an earlier process recorded about a piece; None if it was not finished or its pixels have changed since."""
    try:
        piece: dict[str, Any] = json.loads(record.read_text("utf-8"))
        return piece if piece["pixels"] == digest_of(rows) else None
    except (OSError, ValueError, KeyError):
        return None


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")
