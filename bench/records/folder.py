"""Which suite file owns a run's folder: folders are found by name, and two different suites must not share one."""

from __future__ import annotations

import filecmp
from pathlib import Path

from bench.records.provenance import ROOT, tracked
from lt_core.errors import UserError

_MADE_BY = ".suite"  # a file in a run's folder with the path of the user's file that made the run


def refuse_another(run: Path, file: Path | None) -> None:
    """Raise if the folder ``run`` was made by a user's file other than ``file``, because it would mix the trials of both.

    The other file is ignored if it no longer exists (it was moved or renamed) or if it has the same content (it defines the same
    suite).

    Raises:
        UserError: the other file still exists and has different content.
    """
    other = _owner(run)
    if file and other and other.is_file() and not (file.is_file() and filecmp.cmp(file, other, shallow=False)):
        raise UserError(f"the run folder {run} belongs to {other}, not to {file}: rename the file, or choose another --out")


def refuse_committed(run: Path) -> None:
    """Raise if the folder ``run`` holds committed rows: published rows change only deliberately, by copying a finished run there.

    A folder is committed if it lies next to the benchmark's own ``results/quick``, or if git tracks its records.

    Raises:
        UserError: the folder is committed.
    """
    records = run / "records"
    if records.is_dir() and tracked(records):
        raise UserError(f"{run} holds committed rows, which no command overwrites: choose another --out, or omit it")
    if run.resolve().parent == ROOT / "results":
        raise UserError(f"{run} would be inside the folder of the benchmark's committed rows: choose another --out, or omit it")


def _owner(run: Path) -> Path | None:
    mark = run / _MADE_BY
    try:
        return Path(mark.read_text(encoding="utf-8")) if mark.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{mark} cannot be read ({error}): delete it, and the next run writes it again") from None


def claimed(run: Path, file: Path) -> bool:
    """Whether the folder ``run`` is already recorded as made by ``file``."""
    return _owner(run) == file


def claim(run: Path, file: Path | None) -> None:
    """Record in the folder ``run`` which ``file`` of the user made it.

    Raises:
        UserError: another file made it.
    """
    refuse_another(run, file)
    if file:
        try:
            (run / _MADE_BY).write_text(str(file), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{run / _MADE_BY} cannot be written ({error.strerror}): choose another --out") from None
