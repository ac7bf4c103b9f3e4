"""The manifest of a set of pictures: a line a file, with what it held when it was read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lt_core.data.pictures.decode import VERSION
from lt_core.errors import UserError
from lt_core.labels import counted

#: Columns of the manifest. ``where``: the folder that ``place`` is below; ``bytes`` and ``mtime`` (ns) of the file on disk;
#: ``sha256`` of the picture's content; ``note``: what is worth telling of its kind; ``problem``: why it cannot be read.
TEXT = ("part", "where", "place", "label", "sha256", "note", "problem")
NUMBERS = ("bytes", "mtime", "width", "height")
TABLES = (".parquet", ".arrow")


@dataclass(frozen=True)
class Manifest:
    """Columns of the manifest by name: each an array [files]."""

    columns: Mapping[str, np.ndarray]

    def __getitem__(self, column: str) -> np.ndarray:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.columns["place"])

    @property
    def readable(self) -> np.ndarray:
        """Whether each file is a picture that could be decoded: bool [files]."""
        return np.asarray(self["problem"] == "")

    def path(self, row: int) -> Path:
        """The file of a picture, or of the table that it is in."""
        place = str(self["place"][row])
        table = place.rpartition("#")[0]
        return Path(self["where"][row]) / (table if table.endswith(TABLES) else place)

    def shown(self, row: int) -> str:
        """The picture as messages name it."""
        return f"{self['where'][row]}/{self['place'][row]}"


def write_manifest(folder: Path, columns: Mapping[str, Sequence[Any]], meta: Mapping[str, Any]) -> None:
    """Write both files, the one that says that the folder is whole last."""
    import pyarrow as pa

    _write_table(folder, pa.table({column: list(values) for column, values in columns.items()}))
    (folder / "meta.json").write_text(json.dumps(dict(meta)))


def _write_table(folder: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    beside = folder / "manifest.part"
    pq.write_table(table, beside, compression="zstd")
    beside.replace(folder / "manifest.parquet")


def read_meta(folder: Path) -> dict[str, Any] | None:
    """What was noted of the decoded pictures in ``folder``; None if they are not there whole."""
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        whole = meta["version"] == VERSION and (folder / "manifest.parquet").is_file() and len(pixels.shape) == 4
        return meta if whole else None
    except (OSError, ValueError, EOFError, KeyError):
        return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in ``folder``.

    Raises:
        UserError: it is not there, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(folder / "manifest.parquet")
        text = {column: np.array(table.column(column).to_pylist(), dtype=np.str_) for column in TEXT}
        return Manifest(text | {column: table.column(column).to_numpy() for column in NUMBERS})
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(f"{folder} holds no manifest that can be read ({error}): remove it, and add the set again") from error


def changed(manifest: Manifest) -> Iterator[int]:
    """Rows of files that are gone, or have another size or time than when they were read."""
    known: dict[Path, bool] = {}
    for row in range(len(manifest)):
        path = manifest.path(row)
        if path not in known:
            try:
                status = path.stat()
                known[path] = (status.st_size, status.st_mtime_ns) == (manifest["bytes"][row], manifest["mtime"][row])
            except OSError:
                known[path] = manifest["mtime"][row] < 0  # as it was
        if not known[path]:
            yield row


def refuse_changed(name: str, manifest: Manifest) -> None:
    """Raise where files are not as they were when the set was added. A machine on which none is there has a copy of the cache."""
    rows = list(changed(manifest))
    if rows and any(Path(where).exists() for where in np.unique(manifest["where"])):
        first = manifest.path(rows[0])
        what = "has changed" if first.exists() else "is gone"
        raise UserError(
            f"{name}: {counted(len(rows), 'picture')} of {len(manifest):,} are not as they were when the set was added (first: "
            f"{manifest.shown(rows[0])} {what}): see `data verify {name}`, or add the set again, as another version"
        )


def restamp(folder: Path, stamps: Mapping[int, tuple[int, int]]) -> None:
    """Note the sizes and times, by row, of files that were found to hold what they held."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "manifest.parquet")
    for i, column in enumerate(("bytes", "mtime")):
        values = [stamps[row][i] for row in range(table.num_rows)]
        table = table.set_column(table.schema.get_field_index(column), column, pa.array(values, pa.int64()))
    _write_table(folder, table)
