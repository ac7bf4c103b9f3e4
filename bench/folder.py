"""Whose a run's folder is: it goes by its name alone, and two questions must not share one."""

from __future__ import annotations

import filecmp
from pathlib import Path

from lt_core.errors import UserError

_MADE_BY = ".suite"  # in a run's folder: path of the user's file that made it


def refuse_another(run: Path, file: Path | None) -> None:
    """Raise if the folder ``run`` was made by a user's file other than ``file``: it would mix the trials of both.

    A file that is gone was moved or renamed, and one of the same content asks the same question.

    Raises:
        UserError: the other file is there and says something else.
    """
    mark = run / _MADE_BY
    other = Path(mark.read_text()) if mark.is_file() else None
    if file and other and other.is_file() and not filecmp.cmp(file, other, shallow=False):
        raise UserError(f"the run folder {run} is that of {other}, not of {file}: rename the file, or give another --out")


def claim(run: Path, file: Path | None) -> None:
    """Keep it with the folder ``run`` that a user's ``file`` made it.

    Raises:
        UserError: another file did.
    """
    refuse_another(run, file)
    if file:
        (run / _MADE_BY).write_text(str(file))
