"""What the trials of a run predicted, image by image (`run --keep predictions`): ``predictions/<trial_id>.npz``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.records.nested import environments_of
from bench.records.store import Store
from lt_core.predictions import Kept, load
from lt_core.side_file import PREDICTIONS


def read(store: Store, trial_id: str, environment: Mapping[str, Any]) -> Kept | None:
    """The predictions of a trial, checked against the digest in the ``environment`` of its record; None if it kept none.

    Raises:
        UserError: they are missing or damaged, or belong to another trial.
    """
    digest = environment.get(PREDICTIONS.name)
    return load(PREDICTIONS.path(store.predictions, trial_id), digest) if digest else None


def of_rows(store: Store, rows: pd.DataFrame) -> Iterator[tuple[Any, Kept | None]]:
    """(row, its predictions) of each row of the results frame, in order.

    Raises:
        UserError: see `read`.
    """
    for row, environment in zip(rows.itertuples(index=False), environments_of(rows), strict=True):
        yield row, read(store, row.trial_id, environment)
