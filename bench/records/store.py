"""The system of record: a run's folder, with one JSON file per trial and the Parquet files made from them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from bench.records import parquet
from bench.records.current_frames import CurrentFrames
from bench.records.finding import run_folder
from bench.records.folder import refuse_committed
from bench.records.record_files import RecordFiles
from lt_core.errors import UserError
from lt_core.result import RESUMABLE, TrialResult


class Store:
    """A run's folder: ``records/<trial_id>.json``, and the Parquet of `frames.BUILDERS`, such as ``trials.parquet``.

    Only one process writes at a time (see `lock`). The Parquet files can be deleted and made again from the records at any time.

    Args:
        skip_damaged: leave out records that cannot be read, with a warning, instead of raising an error that lists them all. No
            Parquet is written then, because they would be missing from it without a trace.

    >>> import tempfile
    >>> from lt_core.result import TrialResult
    >>> from lt_core.testing.trials import tiny_spec
    >>> store = Store.create(tempfile.mkdtemp())
    >>> with store.lock():
    ...     store.write(TrialResult(tiny_spec("ldam_drw"), status="oom", cause="out of memory"))
    >>> Store.open(store.path).frame()[["label", "status", "cause"]].values.tolist()
    [['ldam_drw', 'oom', 'out of memory']]
    """

    def __init__(self, path: str | Path, skip_damaged: bool = False) -> None:
        self.path, self.skip_damaged = Path(path), skip_damaged
        self._files = RecordFiles(self.path, skip_damaged)
        self._frames = CurrentFrames(self.path, self._files)
        self.records, self.predictions = self._files.folder, self._files.predictions
        #: What readers derived from the frames and may want again; forgotten when a record is written.
        self.derived: dict[Hashable, Any] = {}

    @classmethod
    def open(cls, run: str | Path, skip_damaged: bool = False) -> Store:
        """The run in the folder ``run``, or the run with that name under results/runs.

        Raises:
            UserError: there is no such run.
        """
        return cls(run_folder(run), skip_damaged)

    @classmethod
    def create(cls, path: str | Path) -> Store:
        """The run in ``path``, created if necessary.

        Raises:
            UserError: the folder cannot be written, or holds committed rows.
        """
        store = cls(path)
        refuse_committed(store.path)
        try:
            store.records.mkdir(parents=True, exist_ok=True)
            probe = store.records / f".probe-{os.getpid()}"
            probe.write_text("x")
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"the run folder {store.path} cannot be written ({error.strerror}): choose another with --out"
            ) from None
        return store

    @contextmanager
    def lock(self, records: bool = True) -> Iterator[None]:
        """Lock the run for one writer. If that process is killed, the operating system releases the lock.

        Args:
            records: whether records will be written.

        Raises:
            UserError: another process is writing to the run, or as `refuse_losing_rows`.
        """
        if records:
            self.refuse_losing_rows()
        try:
            opened = open(self.path / ".lock", "w")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise UserError(f"{self.path / '.lock'} cannot be written ({error.strerror}): choose another --out") from None
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another process is writing trials to {self.path}: wait until it has finished, or choose another --out"
                ) from None
            self._files.remove_unfinished()
            parquet.finish(self.path)
            self._frames.forget()  # another process may have written since they were read
            self.derived.clear()
            yield

    def write(self, result: TrialResult) -> None:
        """Keep a finished or failed trial: its record is written to a temporary name, fsync'ed and renamed.

        Raises:
            UserError: the disk is full or the folder cannot be written; nothing is overwritten then.
        """
        self._files.write(result)
        self._frames.forget()
        self.derived.clear()
        if result.status not in RESUMABLE:
            self.checkpoint(result.trial_id).unlink(missing_ok=True)

    def checkpoint(self, trial_id: str) -> Path:
        """Where a long trial keeps its own checkpoint while it runs."""
        return self.path / "checkpoints" / f"{trial_id}.pt"

    def read(self, trial_id: str) -> TrialResult | None:
        """The record of one trial; None if it has none.

        Raises:
            UserError: the record is not readable; it is left as it is.
        """
        return self._files.read(trial_id)

    def results(self) -> Iterator[TrialResult]:
        """All records, in order of trial ID.

        Raises:
            UserError: after all of them have been read: some are damaged, of a newer version or not named after their trial,
                such as copies. They are left as they are.
        """
        return self._files.results()

    def results_of(self, trial_ids: Collection[str]) -> Iterator[TrialResult]:
        """The records of those of these trials that have one, in order of trial ID.

        Raises:
            UserError: as `results`.
        """
        return self._files.results_of(trial_ids)

    def having(self, field: str) -> set[str]:
        """IDs of the trials whose record has something under ``field``, one of `layout.EXTRAS`.

        Raises:
            UserError: as `results`.
        """
        return self._files.having(field)

    def only_parquet(self) -> bool:
        """Whether the run consists of Parquet files alone, as most committed runs do."""
        return not self._files.entries() and parquet.there(self.path, "trials")

    def refuse_losing_rows(self) -> None:
        """Raise before records are written to a run that consists of Parquet files alone, which would then be rebuilt from these
        records.

        Raises:
            UserError: the run consists of Parquet files alone.
        """
        if self.only_parquet():
            raise UserError(
                f"{self.path} contains only Parquet files, and writing a record there would discard their rows: choose another "
                "--out, and show both runs with --beside"
            )

    def statuses(self) -> dict[str, str]:
        """Status of every trial that has a record."""
        frame = self._load("trials", ["trial_id", "status"])
        return dict(zip(frame["trial_id"], frame["status"], strict=True))

    def frame(self) -> pd.DataFrame:
        """One row per trial: the columns of ``trials.parquet`` (see `bench.records.frames.trials`)."""
        return self._load("trials")

    def generations(self) -> pd.DataFrame:
        """One row per trial, training and class of semi-supervised trials (see `bench.records.frames.generations`)."""
        return self._load("rounds")

    def per_class(self) -> pd.DataFrame:
        """One row per trial and class: trial_id, class, train_count, recall, precision."""
        return self._load("per_class")

    def curves(self) -> pd.DataFrame:
        """One row per trial and evaluated epoch."""
        return self._load("curves")

    def compact(self) -> None:
        """Bring the Parquet files up to date with the records."""
        self._frames.compact()

    def _load(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        return self._frames.load(name, columns)
