"""Files that trials leave beside their records (`run --keep`), as ``<run>/<kind>/<trial_id>``. The record has their digest."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench.records.nested import environments_of
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.result import OK
from lt_core.side_file import SIDE_FILES, SideFile


def folder(store: Store, kind: SideFile) -> Path:
    """The folder of the files of this kind in a run."""
    return store.path / kind.name


def copy(trial_id: str, source: Store, target: Store) -> None:
    """Copy the files that a trial left, if any, from one run to another. They are checked when they are read.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    for kind in SIDE_FILES:
        file, copied = (kind.path(folder(store, kind), trial_id) for store in (source, target))
        if file.is_file():
            try:
                copied.parent.mkdir(exist_ok=True)
                shutil.copyfile(file, copied)
            except OSError as error:
                raise UserError(
                    f"{copied} cannot be written ({error.strerror}): free some disk space and run the same command again"
                ) from None


def without(store: Store, kind: SideFile, trial_ids: Iterable[str]) -> tuple[int, int]:
    """The number of finished trials among ``trial_ids`` that have no such file in the run's folder, and the number of finished
    ones.
    """
    frame, asked = store.frame(), set(trial_ids)
    done = frame[(frame["status"] == OK) & frame["trial_id"].isin(asked)]
    there = [
        kind.name in environment and kind.path(folder(store, kind), trial_id).is_file()
        for trial_id, environment in zip(done["trial_id"], environments_of(done), strict=True)
    ]
    return there.count(False), len(there)
