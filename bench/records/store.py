"""The system of record: one JSON file a trial, written completely or not at all, and the Parquet files made from them."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import warnings
from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from bench.records import RUNS_DIR, frames, layout, parquet
from bench.records.damage import Damages, told
from bench.records.folder import refuse_committed
from bench.records.record import decoded, encoded, result_of
from bench.shipped import SPACES_DIR, SUITES_DIR
from lt_core.errors import UserError, unknown
from lt_core.predictions import load
from lt_core.result import RESUMABLE, TrialResult
from lt_core.side_file import PREDICTIONS

_load = lru_cache(maxsize=1)(load)  # several metrics look at the predictions of one trial after another


@contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of records are made and none is garbage: the collector would only walk through them again and again."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class Store:
    """A run's folder: ``records/<trial_id>.json``, and the Parquet of `frames.BUILDERS`, such as ``trials.parquet``.

    One process writes (see `lock`). Parquet can be deleted and made again from the records at any time.

    Args:
        skip_damaged: leave out records that cannot be read, with a warning, instead of raising an error that lists them all. No
        Parquet is written then, because they would be missing from it silently.

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
        self.records = self.path / "records"
        self.predictions = self.path / "predictions"
        self._frames: dict[str, pd.DataFrame] | None = None
        self._having: dict[str, set[str]] | None = None
        self._left_out: dict[Path, str] = {}  # damaged records, and what is wrong with them
        #: What readers made of the frames and may want again; forgotten when a record is written.
        self.derived: dict[Hashable, Any] = {}

    @classmethod
    def open(cls, run: str | Path, skip_damaged: bool = False) -> Store:
        """The run in the folder ``run``, or the run with that name under results/runs.

        Raises:
            UserError: there is no such run.
        """
        for path in (Path(run), RUNS_DIR / run):
            if (path / "records").is_dir() or (path / "trials.parquet").is_file():
                return cls(path, skip_damaged)
        for folder, begin in ((SUITES_DIR, "run"), (SPACES_DIR, "tune")):
            if (folder / f"{run}.yaml").is_file():
                raise UserError(f"{run} has not been run here, so run '{run}' does not exist: `bench.py {begin} {run}` starts it")
        there = [p.name for p in RUNS_DIR.glob("*") if p.is_dir()]
        if not there:
            raise UserError(f"run '{run}' does not exist, and {RUNS_DIR} contains no runs: start one with `bench.py run quick`")
        raise unknown("run", str(run), there)

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
    def lock(self) -> Iterator[None]:
        """Lock the run for one writer; the lock of a killed writer is released by itself.

        Raises:
            UserError: another process is writing to the run.
        """
        with open(self.path / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another process is writing trials to {self.path}: wait until it has finished, or choose another --out"
                ) from None
            for left in self.records.glob(".*.part"):  # of a writer that was killed
                left.unlink(missing_ok=True)
            yield

    def write(self, result: TrialResult) -> None:
        """Keep a finished or failed trial: written beside, fsync'ed, renamed.

        Raises:
            UserError: the disk is full or the folder cannot be written; nothing is overwritten then.
        """
        path = self.records / f"{result.trial_id}.json"
        beside = self.records / f".{result.trial_id}.part"
        try:
            with open(beside, "wb") as file:
                file.write(encoded(result))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):  # on a disk that has become read-only this fails too
                beside.unlink(missing_ok=True)
            raise UserError(
                f"{path} cannot be written ({error.strerror}): free some disk space and run the same command again; nothing "
                "is lost"
            ) from None
        self._frames = self._having = None
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
        path = self.records / f"{trial_id}.json"
        if not path.exists():
            return None
        with told(path):
            return self._read(path)

    def results(self) -> Iterator[TrialResult]:
        """All records, in order of trial id.

        Raises:
            UserError: when all have been read: those that are damaged, of a newer version or not named after their trial, such
                as copies. They are left as they are.
        """
        return self._results(self._record_files())

    def results_of(self, trial_ids: Collection[str]) -> Iterator[TrialResult]:
        """The records of these trials, as far as there are any, in order of trial id.

        Raises:
            UserError: as `results`.
        """
        files = [self.records / f"{trial_id}.json" for trial_id in sorted(trial_ids)]
        return self._results(file for file in files if file.is_file())

    def having(self, field: str) -> set[str]:
        """Ids of the trials whose record has something under ``field``, one of `layout.EXTRAS`. Found for all of them in one pass
        that makes no spec of what has nothing, which is nearly every record.

        Raises:
            UserError: as `results`.
        """
        if self._having is None:
            having: dict[str, set[str]] = {name: set() for name in layout.EXTRAS}
            damages = Damages()
            for path in self._record_files():
                with damages.noted(path):
                    record, vouched = self._loaded(path)
                    for name in layout.EXTRAS:
                        if record.get(name):
                            having[name].add(result_of(path, record, vouched).trial_id)
            self._refuse(damages)
            self._having = having
        return self._having[field]

    def needs_records(self, what: str) -> None:
        """Raise if the records are missing, for what Parquet alone cannot show.

        Raises:
            UserError: the run has its Parquet alone.
        """
        if not self._record_entries() and (self.path / "trials.parquet").is_file():
            raise UserError(
                f"{self.path} contains only Parquet files, but {what} needs the records: copy the run's folder records/ there too"
            )

    def _results(self, files: Iterable[Path]) -> Iterator[TrialResult]:
        damages = Damages()
        for path in files:
            result = None
            with damages.noted(path):
                result = self._read(path)
            if result is not None:
                yield result
        self._refuse(damages)

    def _refuse(self, damages: Damages) -> None:
        """Raise for records that cannot be read; warn of them, once, where they are to be left out."""
        new = damages.found.keys() - self._left_out.keys()
        if new and not self.skip_damaged:
            raise UserError(str(damages))
        if new:
            warnings.warn(f"unreadable records left out of {self.path}: {damages}", stacklevel=3)
        self._left_out |= damages.found

    def _read(self, path: Path) -> TrialResult:
        result = result_of(path, *self._loaded(path))
        digest = result.environment.get(PREDICTIONS.name)
        return (
            replace(result, kept=partial(_load, PREDICTIONS.path(self.predictions, result.trial_id), digest))
            if digest
            else result
        )

    def _loaded(self, path: Path) -> tuple[dict[str, Any], bool]:
        """What stands in a record, and whether a digest vouches for it."""
        return decoded(path.read_bytes())

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
        there = self._record_entries()
        if not there:
            return
        stamp = self._stamp(there)
        made = {name: self._load(name) for name in frames.BUILDERS if not self._current(name, stamp)}
        if made and not self._left_out:
            parquet.write(self.path, made, stamp)

    # Parquet ------------------------------------------------------------------------------------

    def _record_files(self) -> list[Path]:
        return [Path(entry) for entry in self._record_entries()]

    def _record_entries(self) -> list[os.DirEntry[str]]:
        if not self.records.is_dir():
            return []
        with os.scandir(self.records) as entries:
            there = [entry for entry in entries if entry.name.endswith(".json") and not entry.name.startswith(".")]
        return sorted(there, key=lambda entry: entry.name)

    def _stamp(self, entries: list[os.DirEntry[str]]) -> str:
        """Of records: changes whenever one is added, replaced or removed."""
        digest = hashlib.sha256(layout.version().encode())  # an older version's files are made anew
        for entry in entries:
            stat = entry.stat()
            digest.update(f"{entry.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _current(self, name: str, stamp: str) -> bool:
        """Whether a Parquet file is whole and made of these records."""
        try:
            return parquet.stamp_of(self.path, name) == stamp
        except parquet.Damaged as error:
            path = parquet.file_of(self.path, name)
            warnings.warn(f"{path} is damaged ({error}) and is rebuilt from the records", stacklevel=2)
            return False

    def _load(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """A frame: from its Parquet if all are current or all there is, else with the others from the records.

        Args:
            columns: those that are needed, if they are few.
        """
        if self._frames is None:
            there = self._record_entries()
            stamp = self._stamp(there)
            if there and not all(self._current(each, stamp) for each in frames.BUILDERS):
                with _no_collection():
                    self._frames = frames.build(self.results(), self.path.resolve().name)
            else:
                self._frames = {}
        if name not in self._frames:  # of large runs each takes long to read, and few commands need them all
            try:
                frame = parquet.read(self.path, name, columns)
                if name == "trials":
                    _refuse_twice(frame)
            except parquet.Damaged as error:
                raise self._damaged(parquet.file_of(self.path, name), error) from None
            if columns:
                return frame
            self._frames[name] = frame
        return self._frames[name]

    def _damaged(self, path: Path, error: Exception) -> UserError:
        remedy = (
            "delete it, and it will be rebuilt from the records" if self._record_entries() else ("copy it again from its source")
        )
        return UserError(f"{path} is damaged ({error}): {remedy}")


def _refuse_twice(trials: pd.DataFrame) -> None:
    """Parquet may be written by another hand."""
    twice = trials.loc[trials["trial_id"].duplicated(), "trial_id"]
    if len(twice):
        raise parquet.Damaged(f"it contains trial {twice.iloc[0]} twice")
