"""Pictures in tables with their bytes and a label in each row: Parquet shards of the Hugging Face hub, or saved by `datasets`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lt_core.data.pictures.layouts import Entry, in_order, numbered
from lt_core.errors import UserError

IMAGE_COLUMNS = ("image", "img", "images", "pixels", "picture")
LABEL_COLUMNS = (
    "fine_label",
    "label",
    "labels",
    "target",
    "class",
)  # CIFAR-100's coarse label is not the class


def columns_of(file: Path, names: Sequence[str]) -> tuple[str, str]:
    """The image and the label column of a table with columns of these names.

    Raises:
        UserError: one of them is missing.
    """
    image, label = (next((c for c in known if c in names), None) for known in (IMAGE_COLUMNS, LABEL_COLUMNS))
    if image is None or label is None:
        raise UserError(
            f"{file} needs an image column (one of {', '.join(IMAGE_COLUMNS)}) and a label column (one of "
            f"{', '.join(LABEL_COLUMNS)}), but has {list(names)}"
        )
    return image, label


@dataclass(frozen=True)
class Tables:
    """A `lt_core.data.pictures.layouts.Layout` that consists of the rows of Parquet or Arrow files below ``where``."""

    where: Path
    files: Sequence[Path]
    starts: Sequence[int]  # number of each file's first row among all rows; at the end, the number of all rows
    image: str
    entries: Sequence[Entry]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def contents(self, start: int, stop: int) -> Iterator[bytes | OSError]:
        for file, begin, end in zip(self.files, self.starts, self.starts[1:], strict=False):
            first, last = max(start, begin), min(stop, end)
            if first < last:
                yield from _contents(file, self.image, first - begin, last - begin)


def shards(where: Path, part: str) -> Tables:
    """The Parquet shards in ``where``, or a single one: those whose names begin with ``part`` if there are any, else all.

    Raises:
        UserError: a shard cannot be read, its columns are unknown, or the labels have gaps.
    """
    files = [where] if where.is_file() else sorted(where.rglob("*.parquet"))
    prefixes = ("train",) if part == "train" else ("test", "val")
    chosen = next((some for p in prefixes if (some := [f for f in files if f.name.startswith(p)])), files)
    return _tables(where if where.is_dir() else where.parent, chosen)


def saved(where: Path, part: str) -> Tables:
    """The pictures that `datasets` saved to disk in ``where``; from a dictionary of splits, those of ``part``."""
    if (where / "dataset_dict.json").is_file():
        parts = ("train",) if part == "train" else ("test", "validation", "val")
        where = next((where / p for p in parts if (where / p).is_dir()), where / parts[0])
    return _tables(where, sorted(where.glob("*.arrow")))


def _tables(where: Path, files: Sequence[Path]) -> Tables:
    try:
        read = [_labels(file) for file in files]
        if not files or not any(labels for labels, _, _ in read):
            raise UserError(f"{where} has no rows with pictures")
        return _joined(where, files, read)
    except UserError:
        raise
    except Exception as error:  # pyarrow has its own errors for each way in which a file can be damaged
        raise UserError(
            f"{where} contains tables that cannot be read ({str(error).splitlines()[0]}): download them again"
        ) from error


def _joined(where: Path, files: Sequence[Path], read: Sequence[tuple[list[Any], str, tuple[str, ...]]]) -> Tables:
    entries, starts = [], [0]
    for file, (labels, _, _) in zip(files, read, strict=True):
        status, name = file.stat(), str(file.relative_to(where))
        for row, label in enumerate(labels):
            if isinstance(label, bool) or not isinstance(label, int | str) or (isinstance(label, int) and label < 0):
                raise UserError(f"{file}, row {row}: label {label!r} is neither a class number (0, 1, …) nor a name")
            entries.append(Entry(f"{name}#{row}", str(label), status.st_size, status.st_mtime_ns))
        starts.append(len(entries))
    words = [entry.label for entry in entries]
    by_number = isinstance(read[0][0][0] if read[0][0] else 0, int)
    classes = numbered(words, str(where)) if by_number else in_order(words)
    _, image, names = read[0]
    return Tables(where, files, starts, image, entries, names if len(names) == len(classes) else classes)


def _labels(file: Path) -> tuple[list[Any], str, tuple[str, ...]]:
    """Labels of all rows, the image column, and the class names that `datasets` writes into the file; empty if there are none."""
    schema = _schema(file)
    image, label = columns_of(file, schema.names)
    features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    names = (features.get(label) or {}).get("names") or ()
    labels = [value for group in range(len(_groups(file))) for value in _column(file, group, label).to_pylist()]
    return labels, image, tuple(map(str, names))


def _contents(file: Path, image: str, start: int, stop: int) -> Iterator[bytes | OSError]:
    begin = 0
    for group, count in enumerate(_groups(file)):
        first, last = max(start, begin) - begin, min(stop, begin + count) - begin
        if first < last:
            yield from map(_bytes, _kept(file, file.stat().st_mtime_ns, group, image).slice(first, last - first))
        begin += count


def _bytes(cell: Any) -> bytes | OSError:
    content = cell.as_py()
    if isinstance(content, dict):
        content = content.get("bytes")
    return content if isinstance(content, bytes) else OSError("the table has no bytes for it")


def rows(file: Path) -> Iterator[tuple[bytes, int]]:
    """Content and label of each row of a Parquet file."""
    import pyarrow.parquet as pq

    image, label = columns_of(file, _schema(file).names)
    with pq.ParquetFile(file) as shard:
        for batch in shard.iter_batches(2048, columns=[image, label]):
            for cell, value in zip(batch.column(0), batch.column(1), strict=True):
                content = cell.as_py()
                yield (content["bytes"] if isinstance(content, dict) else content), value.as_py()


# Functions for both kinds of files; a group consists of the rows that are read together.


def _schema(file: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_schema(file) if file.suffix == ".parquet" else _arrow(file).schema


def _groups(file: Path) -> tuple[int, ...]:
    """Number of rows of each group."""
    import pyarrow.parquet as pq

    if file.suffix != ".parquet":
        return (_arrow(file).num_rows,)
    metadata = pq.read_metadata(file)
    return tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))


def _column(file: Path, group: int, column: str) -> Any:
    import pyarrow.parquet as pq

    if file.suffix != ".parquet":
        return _arrow(file).column(column)
    with pq.ParquetFile(file) as shard:
        return shard.read_row_group(group, columns=[column]).column(0)


@lru_cache(maxsize=1)  # the pictures that are read next are mostly in the same group
def _kept(file: Path, mtime: int, group: int, column: str) -> Any:
    return _column(file, group, column)


def _arrow(file: Path) -> Any:
    """The table of a file of `datasets`, memory-mapped."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.memory_map(str(file))).read_all()
