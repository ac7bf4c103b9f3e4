"""What the trials of a run predicted, image by image (`run --keep predictions`): ``predictions/<trial_id>.npz``."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from bench.records.nested import environments_of
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.predictions import DIGEST_KEY, Kept, load, path_of
from lt_core.result import OK


def read(store: Store, trial_id: str, environment: Mapping[str, Any]) -> Kept | None:
    """The predictions of a trial, checked; None if it kept none, by the ``environment`` of its record.

    Raises:
        UserError: they are missing, damaged or another trial's.
    """
    digest = environment.get(DIGEST_KEY)
    return load(path_of(store.predictions, trial_id), digest) if digest else None


def of_rows(store: Store, rows: pd.DataFrame) -> Iterator[tuple[Any, Kept | None]]:
    """(row, its predictions) of each row of the results frame, in order.

    Raises:
        UserError: see `read`.
    """
    for row, environment in zip(rows.itertuples(index=False), environments_of(rows), strict=True):
        yield row, read(store, row.trial_id, environment)


def copy(trial_id: str, source: Store, target: Store) -> None:
    """Copy the predictions of a trial from one run to another, if they are there; its record says whether they are whole.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    file, copied = (path_of(store.predictions, trial_id) for store in (source, target))
    if file.is_file():
        try:
            copied.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, copied)
        except OSError as error:
            raise UserError(f"{copied} cannot be written ({error.strerror}): make room and give the same command again") from None


def without(store: Store, trial_ids: Iterable[str]) -> tuple[int, int]:
    """How many finished trials among ``trial_ids`` have no predictions in the run's folder, and how many are finished."""
    frame, asked = store.frame(), set(trial_ids)
    done = frame[(frame["status"] == OK) & frame["trial_id"].isin(asked)]
    there = [
        DIGEST_KEY in environment and path_of(store.predictions, trial_id).is_file()
        for trial_id, environment in zip(done["trial_id"], environments_of(done), strict=True)
    ]
    return there.count(False), len(there)
