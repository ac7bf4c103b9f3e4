"""Records that cannot be read: all of them are reported at once, each with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.records.record import Misnamed
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.result import NewerVersion

#: What reading a record may raise; anything else is a bug in this program.
UNREADABLE = (ValueError, KeyError, TypeError, OSError)


def problem(path: Path, error: Exception) -> str:
    """What is wrong with the record in ``path``, and how to fix it."""
    if isinstance(error, Misnamed) and error.rename:
        return f"record {path} {error}: rename the file to {error.rename}"
    if isinstance(error, Misnamed):
        return f"record {path} {error}: delete the file, because otherwise its trial would count twice"
    if isinstance(error, NewerVersion):
        words = "was written by a newer version of the benchmark, or is damaged"
        return f"record {path} {words} ({error}): try a newer version of the benchmark before you delete it"
    if isinstance(error, OSError):
        return f"record {path} cannot be read ({error.strerror or error}): make it readable, or move it elsewhere"
    return f"record {path} is damaged ({error}): delete it, and its trial will run again"


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Report an error in reading the record in ``path`` in one sentence.

    Raises:
        UserError: the record cannot be read.
    """
    try:
        yield
    except UNREADABLE as error:
        raise UserError(problem(path, error)) from None


class Damages:
    """What is wrong with the records of a run, file by file."""

    def __init__(self) -> None:
        self.found: dict[Path, str] = {}

    @contextmanager
    def noted(self, path: Path) -> Iterator[None]:
        """Note an error in reading the record in ``path``, and leave the block."""
        try:
            yield
        except UNREADABLE as error:
            self.found[path] = problem(path, error)

    def __str__(self) -> str:
        """A sentence if there is one file, and a line for each if there are several."""
        lines = list(self.found.values())
        if len(lines) == 1:
            return lines[0]
        return "\n  ".join([f"{counted(len(lines), 'record')} cannot be read:", *lines])
