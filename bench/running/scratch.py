"""Folders in the temporary directory that last as long as their process, and the removal of those that killed processes left.

A folder is recognised by its name. Its owner is alive as long as the mark in it is locked, because the kernel releases the lock
however the owner ends. Process IDs are not used, because another process or container may have the same one by now.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_PREFIX = "lt-bench-"
_MARK = ".owner"
_STARTING = 3600.0  # seconds after which a folder without a mark must belong to a process that was killed too early to mark it
_HELD: list[IO[str]] = []  # marks of the folders that this process owns until it ends


def ray_folder() -> Path:
    """Where our local Rays keep their sessions, separate from other Rays. The name is short because the folder holds sockets."""
    return Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "lt-ray")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of this process that is removed when the block ends, or at a later start if the process is killed."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder, _marked(Path(folder)):
        yield Path(folder)


def keep(folder: Path) -> None:
    """Mark ``folder`` as owned by this process until it ends."""
    _HELD.append(_marked(folder))


def sweep() -> None:
    """Remove the folders that dead processes left, and end child processes of theirs that are still running."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)
    for session in ray_folder().glob("session_2*"):
        if _is_left(session, unmarked_for=_STARTING):
            _end_processes(session)
            shutil.rmtree(session, ignore_errors=True)


def _marked(folder: Path) -> IO[str]:
    """Put a mark in ``folder`` that is locked from the start."""
    beside = folder / f"{_MARK}.{os.getpid()}"
    mark = open(beside, "w")  # noqa: SIM115 (held until this process ends, or the block)
    fcntl.flock(mark, fcntl.LOCK_EX)
    beside.rename(folder / _MARK)
    return mark


def _is_left(folder: Path, unmarked_for: float = float("inf")) -> bool:
    """Whether ``folder`` is this user's, and its owner is dead."""
    try:
        stat = folder.stat()
        if stat.st_uid != os.getuid() or folder.is_symlink():
            return False
        with open(folder / _MARK, "r+") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return folder.exists() and time.time() - stat.st_mtime > unmarked_for
    except OSError:  # somebody holds it
        return False
    return True


def _end_processes(session: Path) -> None:
    """End the processes that a dead Ray left, such as its agents, which survive it by half a minute and write to its logs."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is another user's, or has ended
            if any(session in file.readlink().parents for file in (process / "fd").iterdir()):
                os.kill(int(process.name), signal.SIGKILL)
