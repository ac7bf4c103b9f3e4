"""The Parquet files of a run: made from its records, stamped with a hash of these, and checked by their own digests.

``parquet.sha256`` has the digests, in the format of ``sha256sum``. Files of older runs have none; they are accepted if there are
no records to rebuild them from. ``parquet.records`` says which records they were made from, so that only others have to be read.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from bench.records import frames, layout
from lt_core.errors import UserError

_STAMP = b"lt_bench_records"  # metadata key of each file, for the records that it was made from
_DIGESTS, _STATES, _LOCK = "parquet.sha256", "parquet.records", ".parquet.lock"
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
    if not there(folder, name) or path.name not in _digests(folder):
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

    names = pq.read_schema(io.BytesIO(_content(file_of(folder, "trials")))).names
    return set(layout.trial_columns()) - set(names) - _figures()


def read(folder: Path, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    """A frame from its file, empty if there is no file. A frame of an older version gets the columns that it lacks.

    Args:
        columns: read only these [default: all].

    Raises:
        Damaged: the file differs from what was written, or cannot be read.
    """
    path = file_of(folder, name)
    if not there(folder, name):
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
    _replace(folder, contents)


def _replace(folder: Path, contents: dict[Path, bytes]) -> None:
    """Write these files, which come into force together when the file of digests is replaced.

    All are first written beside the old ones, which a full disk therefore leaves as they are. From the moment when the digests
    are replaced, a file beside an old one is read in its place (`_content`). So a process that is killed before all files have
    their names leaves a run whole, and the next writer finishes its work (`finish`).
    """
    path = folder
    try:
        with _writing(folder):
            try:
                for path, content in contents.items():
                    _beside(path).write_bytes(content)
            except OSError:
                with suppress(OSError):  # fails too on a disk that has become read-only
                    for each in contents:
                        _beside(each).unlink(missing_ok=True)
                raise
            for path in sorted(contents, key=lambda each: each.name != _DIGESTS):
                _beside(path).replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}): free some disk space and run the same command again; nothing "
            "is lost"
        ) from None


def finish(folder: Path) -> None:
    """Give files that are in force their names, if a process was killed before it did, and delete those that never were."""
    if any(folder.glob(".*parquet*.part")):
        with suppress(OSError), _writing(folder):  # readers find the files as they are
            pass


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Hold the lock of those who write Parquet files, after finishing the work of one that was killed."""
    with open(folder / _LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = [path for path in map(folder.joinpath, [*_digests(folder), _STATES, _DIGESTS]) if _beside(path).exists()]
        in_force = [path for path in found if _is_whole(path, _beside(path)) and not _is_whole(path, path)]
        for path in found:
            if path in in_force or (in_force and path.name == _STATES):
                _beside(path).replace(path)
            else:
                _beside(path).unlink()
        yield


def there(folder: Path, name: str) -> bool:
    """Whether the run has this frame's file, under its name or, after a kill, beside it."""
    path = file_of(folder, name)
    return path.exists() or _is_whole(path, _beside(path))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _is_whole(path: Path, place: Path) -> bool:
    """Whether the file at ``place`` has the content that the digests say ``path`` has."""
    try:
        return hashlib.sha256(place.read_bytes()).hexdigest() == _digests(path.parent).get(path.name)
    except OSError:
        return False


def _content(path: Path) -> bytes:
    """The content of a file, from its own place or, if another process is replacing it or was killed, from beside it."""
    problem = ""
    for place in (path, _beside(path), path):  # at its own place again, because it may just have been moved there
        try:
            content = place.read_bytes()
        except OSError as error:
            problem = problem or error.strerror or str(error)
            continue
        digest = _digests(path.parent).get(path.name)
        if place == path if digest is None else hashlib.sha256(content).hexdigest() == digest:
            return content
        problem = problem or f"its digest differs from the one in {_DIGESTS}"
    raise Damaged(problem)


def _digests(folder: Path) -> dict[str, str]:
    """File name → digest."""
    try:
        lines = (folder / _DIGESTS).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
