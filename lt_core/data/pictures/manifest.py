"""The manifest of a set of pictures: one line per file, with what the file contained when it was read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lt_core.data.pictures.decode import VERSION
from lt_core.errors import UserError
from lt_core.labels import counted

#: Columns of the manifest. ``part``: the split; ``where``: the folder to which ``place`` is relative; ``bytes`` and ``mtime``
#: (ns) of the file on disk; ``sha256`` of the picture's content; ``note``: what is unusual about the picture; ``problem``: why it
#: cannot be read.
TEXT = ("part", "where", "place", "label", "sha256", "note", "problem")
NUMBERS = ("bytes", "mtime", "width", "height")
TABLES = (".parquet", ".arrow")
_STRETCH = 16_384  # files
_DIGEST = "manifest"  # in meta.json: SHA-256 of the manifest


class Manifest:
    """The manifest in ``folder``, indexed by column name: each column is an array [files], read when it is first used.

    A process that loads a set of a million files therefore holds their labels and hashes, but not their paths.
    """

    def __init__(self, folder: Path, files: int) -> None:
        self.folder, self._files = folder, files
        self._columns: dict[str, np.ndarray] = {}

    def __getitem__(self, column: str) -> np.ndarray:
        if column not in self._columns:
            with _readable(self.folder), _parquet().ParquetFile(_file(self.folder)) as file:  # `read_table` imports pandas
                self._columns[column] = _array(column, file.read(columns=[column]).column(0))
        return self._columns[column]

    def __len__(self) -> int:
        return self._files

    def stretches(self, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
        """These columns, for some thousand files at a time."""
        with _readable(self.folder), _parquet().ParquetFile(_file(self.folder)) as file:
            for batch in file.iter_batches(_STRETCH, columns=list(columns)):
                yield batch.to_pydict()

    @property
    def readable(self) -> np.ndarray:
        """Whether each file is a picture that could be decoded: bool [files]."""
        return np.asarray(self["problem"] == "")

    def path(self, row: int) -> Path:
        """The file of a picture, or of the table that contains it."""
        place = str(self["place"][row])
        table = place.rpartition("#")[0]
        return Path(self["where"][row]) / (table if table.endswith(TABLES) else place)

    def shown(self, row: int) -> str:
        """The picture's name in messages."""
        return f"{self['where'][row]}/{self['place'][row]}"


def _parquet() -> Any:
    """pyarrow's module for Parquet, which takes a while to import."""
    import pyarrow.parquet

    return pyarrow.parquet


def _file(folder: Path) -> Path:
    return folder / "manifest.parquet"


def _array(column: str, values: Any) -> np.ndarray:
    return np.array(values.to_pylist(), dtype=np.str_) if column in TEXT else np.asarray(values.to_numpy())


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(f"{folder} has no readable manifest ({error}): remove the folder, and add the set again") from error


def write_manifest(folder: Path, columns: Mapping[str, Sequence[Any]], meta: Mapping[str, Any]) -> None:
    """Write both files; the last one written, ``meta.json``, says that the folder is complete."""
    import pyarrow as pa

    _write_table(folder, pa.table({column: list(values) for column, values in columns.items()}), meta)


def _write_table(folder: Path, table: Any, meta: Mapping[str, Any]) -> None:
    beside, about = folder / "manifest.part", folder / "meta.part"
    _parquet().write_table(table, beside, compression="zstd")
    about.write_text(json.dumps({**meta, _DIGEST: _sha256(beside)}))
    beside.replace(_file(folder))
    about.replace(folder / "meta.json")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_written(folder: Path, meta: Mapping[str, Any]) -> bool:
    """Whether the manifest is as it was written; assumed if ``meta`` is an older one, without a digest of the manifest."""
    return _DIGEST not in meta or meta[_DIGEST] == _sha256(_file(folder))


def read_meta(folder: Path) -> dict[str, Any] | None:
    """The content of ``meta.json`` for the decoded pictures in ``folder``; None if they are incomplete."""
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        size = int(meta["size"])
        whole = meta["version"] == VERSION and _file(folder).is_file() and pixels.shape[1:] == (size, size, 3)
        return meta if whole else None
    except Exception:  # of many types: for a damaged header, numpy raises errors of Python's parser
        return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in ``folder``.

    Raises:
        UserError: it is missing or damaged.
    """
    with _readable(folder):
        about = _parquet().read_metadata(_file(folder))
        missing = {*TEXT, *NUMBERS} - set(about.schema.names)
        if missing:
            raise KeyError(min(missing))
        return Manifest(folder, about.num_rows)


def changed(manifest: Manifest) -> Iterator[int]:
    """Rows of the files that are gone, or whose size or time has changed since they were read."""
    table, row = ("", False), 0  # the pictures of a table follow each other
    for stretch in manifest.stretches(("where", "place", "bytes", "mtime")):
        for where, place, size, mtime in zip(*stretch.values(), strict=True):
            path = os.path.join(where, place)
            inside = path.rpartition("#")[0] if "#" in place else ""
            if inside.endswith(TABLES):
                table = table if table[0] == inside else (inside, _as_it_was(inside, size, mtime))
                same = table[1]
            else:
                same = _as_it_was(path, size, mtime)
            if not same:
                yield row
            row += 1


def _as_it_was(path: str, size: int, mtime: int) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return mtime < 0  # it could not be accessed then either
    return (status.st_size, status.st_mtime_ns) == (size, mtime)


def refuse_changed(name: str, manifest: Manifest) -> None:
    """Raise if files have changed since the set was added, unless their folders do not exist: then the cache was copied here."""
    rows = list(changed(manifest))
    if rows and any(Path(where).exists() for where in np.unique(manifest["where"])):
        first = manifest.path(rows[0])
        what = "has changed" if first.exists() else "is gone"
        raise UserError(
            f"{name}: {counted(len(rows), 'picture')} of {len(manifest):,} changed after the set was added (first: "
            f"{manifest.shown(rows[0])} {what}): `data verify {name}` lists them all; restore them, or add the set again as a "
            "new version"
        )


def restamp(folder: Path, stamps: Mapping[int, tuple[int, int]]) -> None:
    """Record the sizes and times, by row, of files whose content was found to be unchanged."""
    import pyarrow as pa

    table = _parquet().read_table(_file(folder))
    for i, column in enumerate(("bytes", "mtime")):
        values = [stamps[row][i] for row in range(table.num_rows)]
        table = table.set_column(table.schema.get_field_index(column), column, pa.array(values, pa.int64()))
    _write_table(folder, table, read_meta(folder) or {})
