"""The Parquet files of a run: made from its records, stamped with a hash of these, and checked by their own digests.

``parquet.sha256`` has the digests, in the format of ``sha256sum``. Files of older runs have none; they are accepted if there are
no records to rebuild them from. ``parquet.records`` says which records they were made from, so that only others have to be read.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from bench.records import frames, layout
from lt_core.errors import UserError

_STAMP = b"lt_bench_records"  # metadata key of each file, for the records that it was made from
_DIGESTS, _STATES = "parquet.sha256", "parquet.records"
#: The stamp of files that were not made from records, but merged from files of other runs.
NO_RECORDS = ""


class Damaged(ValueError):
    """A file differs from what was written, or cannot be read."""


def file_of(folder: Path, name: str) -> Path:
    """The file of a frame."""
    return folder / f"{name}.parquet"


def stamp(states: Mapping[str, str]) -> str:
    """The stamp of files that are made from these records, which `RecordFiles.states` describes."""
    # The version is part of it, so that files of an older version are made anew.
    content = "".join(f"{trial_id}.json {state}\n" for trial_id, state in states.items())
    return hashlib.sha256((layout.version() + content).encode()).hexdigest()


def states_in(folder: Path) -> dict[str, str]:
    """The records that ``parquet.records`` lists, unless code has changed that decides their rows. The Parquet files were made
    from them if they have the `stamp` of this list.
    """
    try:
        made_by, *lines = (folder / _STATES).read_text().splitlines()
    except (OSError, ValueError):
        return {}
    return dict(line.split(" ", 1) for line in lines if " " in line) if made_by == layout.made_by() else {}


def stamp_of(folder: Path, name: str) -> str | None:
    """The stamp of the records that a frame's file was made from; None if the file is missing or has no digest to trust it by.

    Raises:
        Damaged: the file differs from what was written.
    """
    import pyarrow.parquet as pq

    path = file_of(folder, name)
    if not path.exists() or path.name not in _digests(folder):
        return None
    content = _content(path)
    try:
        metadata = pq.read_schema(io.BytesIO(content)).metadata or {}
    except Exception as error:  # pyarrow raises many kinds
        raise Damaged(" ".join(str(error).split())) from None
    return str(metadata.get(_STAMP, b"").decode())


def too_old(folder: Path) -> set[str]:
    """Columns that ``trials.parquet`` lacks because it is older, except figures, which count as not measured."""
    import pyarrow.parquet as pq

    names = pq.read_schema(file_of(folder, "trials")).names
    return set(layout.trial_columns()) - set(names) - _figures()


def read(folder: Path, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    """A frame from its file, empty if there is no file. A frame of an older version gets the columns that it lacks.

    Args:
        columns: read only these [default: all].

    Raises:
        Damaged: the file differs from what was written, or cannot be read.
    """
    path = file_of(folder, name)
    if not path.exists():
        return frames.BUILDERS[name]([], folder.name)
    try:
        frame = pd.read_parquet(io.BytesIO(_content(path)), columns=columns)
        if columns:
            return frame
        missing = set(frames.BUILDERS[name]([], "").columns) - set(frame.columns)
        return frame.assign(**{column: math.nan if column in _figures() else 0.0 for column in sorted(missing)})
    except Damaged:
        raise
    except Exception as error:  # pyarrow raises many kinds
        raise Damaged(" ".join(str(error).split())) from None


def _figures() -> set[str]:
    """Columns that are empty where something was not measured."""
    return {*layout.metric_columns(), *layout.MADE, *layout.VALIDATION}


def write(folder: Path, tables: dict[str, pd.DataFrame], states: Mapping[str, str] | None = None) -> None:
    """Write these frames, and the digests of all Parquet files in the folder.

    Args:
        states: describes the records that the frames were made from [default: they were not made from records].

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    digests, contents = _digests(folder), dict[Path, bytes]()
    made_from = stamp(states) if states else NO_RECORDS
    for name, table in tables.items():
        arrow, made = pa.Table.from_pandas(table, preserve_index=False), io.BytesIO()
        extra: dict[Any, Any] = {_STAMP: made_from}
        pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **extra}), made)
        path = file_of(folder, name)
        contents[path] = made.getvalue()
        digests[path.name] = hashlib.sha256(made.getbuffer()).hexdigest()
    contents[folder / _DIGESTS] = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    lines = [layout.made_by(), *(f"{trial_id} {state}" for trial_id, state in (states or {}).items())]
    contents[folder / _STATES] = "\n".join([*lines, ""]).encode()
    _replace(contents)


def _replace(contents: dict[Path, bytes]) -> None:
    """Write these files. A full disk leaves the old ones as they are, because all new ones are first written beside them."""
    beside = {path: path.with_name(f".{path.name}.part") for path in contents}
    try:
        for path, content in contents.items():
            beside[path].write_bytes(content)
        for path, part in beside.items():
            part.replace(path)
    except OSError as error:
        with suppress(OSError):  # fails too on a disk that has become read-only
            for part in beside.values():
                part.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}): free some disk space and run the same command again; nothing "
            "is lost"
        ) from None


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(error.strerror or str(error)) from None
    digest = _digests(path.parent).get(path.name)
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise Damaged(f"its digest differs from the one in {_DIGESTS}")
    return content


def _digests(folder: Path) -> dict[str, str]:
    """File name → digest."""
    try:
        lines = (folder / _DIGESTS).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
