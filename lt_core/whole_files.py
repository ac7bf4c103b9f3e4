"""Files that are written completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: The end of the name of a file that is being written, or that a killed process has left behind.
UNFINISHED = ".part"


@contextmanager
def replacing(path: Path, sync: bool = False) -> Iterator[Path]:
    """A place beside ``path`` to write to. What is there at the end of the block takes the place of ``path`` in one step; if the
    block fails, it is deleted, and ``path`` is left as it was. A process that is killed leaves a hidden file there, which does
    no harm.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "figures.txt"
    >>> with replacing(path) as beside:
    ...     _ = beside.write_text("80.07")
    >>> path.read_text()
    '80.07'

    Args:
        sync: wait until the disk has the content, so that not even a power failure leaves an empty file.

    Raises:
        OSError: ``path`` cannot be replaced, for example because its folder does not exist or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")  # each process has its own: two may write the same file
    try:
        yield beside
        if sync:
            with open(beside, "rb+") as file:
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):  # fails too on a disk that has become read-only
            beside.unlink(missing_ok=True)
        raise
