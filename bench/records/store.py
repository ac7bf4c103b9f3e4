"""The system of record: one JSON file a trial, written whole or not at all, and three Parquet files made of them."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import json
import math
import os
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

try:
    from orjson import loads
except ImportError:  # a machine without it reads the same, slower
    from json import loads  # type: ignore[assignment]

from bench.records import RUNS_DIR, frames, layout
from bench.records.folder import refuse_committed
from lt_core.errors import UserError, unknown
from lt_core.predictions import DIGEST_KEY, load, path_of
from lt_core.result import UNSETTLED, TrialResult

_load = lru_cache(maxsize=1)(load)  # several metrics look at the predictions of one trial after another
_STAMP = "lt_bench_records"  # in each Parquet file: which records it was made of


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


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What goes wrong in reading ``path`` is told in a sentence."""
    try:
        yield
    except (ValueError, KeyError, TypeError, OSError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"record {path} is damaged ({error}): delete it and its trial will be run again") from None


class Store:
    """A run's folder: ``records/<trial_id>.json``, and the Parquet of `frames.BUILDERS`, such as ``trials.parquet``.

    One process writes (see `lock`). Parquet can be deleted and made again from the records at any time.

    >>> import tempfile
    >>> from lt_core.result import TrialResult
    >>> from lt_core.testing.trials import tiny_spec
    >>> store = Store.create(tempfile.mkdtemp())
    >>> with store.lock():
    ...     store.write(TrialResult(tiny_spec("ldam_drw"), status="oom", cause="out of memory"))
    >>> Store.open(store.path).frame()[["label", "status", "cause"]].values.tolist()
    [['ldam_drw', 'oom', 'out of memory']]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.records = self.path / "records"
        self.predictions = self.path / "predictions"
        self._frames: dict[str, pd.DataFrame] | None = None
        self._having: dict[str, set[str]] | None = None
        #: What readers made of the frames and may want again; forgotten when a record is written.
        self.derived: dict[Hashable, Any] = {}

    @classmethod
    def open(cls, run: str | Path) -> Store:
        """The run in the folder ``run``, or the one of that name under results/runs.

        Raises:
            UserError: there is no such run.
        """
        for path in (Path(run), RUNS_DIR / run):
            if (path / "records").is_dir() or (path / "trials.parquet").is_file():
                return cls(path)
        there = [p.name for p in RUNS_DIR.glob("*") if p.is_dir()]
        if not there:
            raise UserError(f"there is no run '{run}', and none under {RUNS_DIR}: start one with `bench.py run quick`")
        raise unknown("run", str(run), there)

    @classmethod
    def create(cls, path: str | Path) -> Store:
        """The run in ``path``, made if it is not there.

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
        """Hold the run for one writer; a killed writer lets go by itself.

        Raises:
            UserError: another process is writing to the run.
        """
        with open(self.path / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another process is running trials into {self.path}: wait for it, or choose another --out"
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
            with open(beside, "w") as file:
                json.dump(result.to_record(), file, allow_nan=False, separators=(",", ":"))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):  # on a disk that has become read-only this fails too
                beside.unlink(missing_ok=True)
            raise UserError(
                f"{path} cannot be written ({error.strerror}): make room and give the same command again; nothing is lost"
            ) from None
        self._frames = self._having = None
        self.derived.clear()
        if result.status not in UNSETTLED:  # those go on from their checkpoint
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
        return self._read(path) if path.exists() else None

    def results(self) -> Iterator[TrialResult]:
        """All records, in order of trial id.

        Raises:
            UserError: a record that is not readable, or is a copy of another one; it is left as it is.
        """
        found: dict[str, Path] = {}
        for path in self._record_files():
            result = self._read(path)
            first = found.setdefault(result.trial_id, path)
            if first != path:  # one name is the trial's own, or both are of an older version
                copy, kept = (first, path) if path.stem == result.trial_id else (path, first)
                raise UserError(f"record {copy} is a copy of {kept.name}: delete it, or its trial would count twice")
            yield result

    def results_of(self, trial_ids: Collection[str]) -> Iterator[TrialResult]:
        """The records of these trials, as far as there are any, in order of trial id. Of a few trials of a large run this takes
        a small part of the time that `results` takes.

        Raises:
            UserError: a record that is not readable.
        """
        files = [self.records / f"{trial_id}.json" for trial_id in sorted(trial_ids)]
        if all(file.is_file() for file in files):
            yield from map(self._read, files)
        else:  # of an older version, whose ids were others, or of no record at all
            yield from (result for result in self.results() if result.trial_id in trial_ids)

    def having(self, field: str) -> set[str]:
        """Ids of the trials whose record has something under ``field``, one of `layout.EXTRAS`. Found for all of them in one pass
        that makes no spec of what has nothing, which is nearly every record.

        Raises:
            UserError: a record that is not readable.
        """
        if self._having is None:
            self._having = {name: set() for name in layout.EXTRAS}
            for path in self._record_files():
                record = self._loaded(path)
                for name in layout.EXTRAS:
                    if record.get(name):
                        self._having[name].add(TrialResult.from_record(record).trial_id)
        return self._having[field]

    def needs_records(self, what: str) -> None:
        """For what cannot be made of Parquet.

        Raises:
            UserError: the run has its Parquet alone.
        """
        if not self._record_entries() and (self.path / "trials.parquet").is_file():
            raise UserError(f"{self.path} has its Parquet alone, and {what} needs the records: fetch its folder records/ too")

    def _read(self, path: Path) -> TrialResult:
        with _readable(path):
            result = TrialResult.from_record(self._loaded(path))
            digest = result.environment.get(DIGEST_KEY)
            return replace(result, kept=partial(_load, path_of(self.predictions, result.trial_id), digest)) if digest else result

    def _loaded(self, path: Path) -> dict[str, Any]:
        """What stands in a record."""
        with _readable(path):
            record = loads(path.read_bytes())
            if not isinstance(record, dict):
                raise TypeError(f"it holds a {type(record).__name__}")
            return record

    def statuses(self) -> dict[str, str]:
        """Status of every trial that has a record."""
        frame = self._load("trials", ["trial_id", "status"])
        return dict(zip(frame["trial_id"], frame["status"], strict=True))

    def frame(self) -> pd.DataFrame:
        """One row a trial: the columns of ``trials.parquet`` (see `bench.records.frames.trials`)."""
        return self._load("trials")

    def generations(self) -> pd.DataFrame:
        """One row a trial, training and class of semi-supervised trials (see `bench.records.frames.generations`)."""
        return self._load("rounds")

    def per_class(self) -> pd.DataFrame:
        """One row a trial and class: trial_id, class, train_count, recall, precision."""
        return self._load("per_class")

    def curves(self) -> pd.DataFrame:
        """One row a trial and evaluated epoch."""
        return self._load("curves")

    def compact(self) -> None:
        """Bring the Parquet files up to date with the records."""
        there = self._record_entries()
        if not there:
            return
        stamp = self._stamp(there)
        for name in [name for name in frames.BUILDERS if not self._current(name, stamp)]:
            self._write_parquet(name, self._load(name), stamp)

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
        import pyarrow.parquet as pq

        path = self.path / f"{name}.parquet"
        if not path.exists():
            return False
        try:
            metadata = pq.read_schema(path).metadata or {}
        except Exception as error:
            raise self._damaged(path, error) from None
        return metadata.get(_STAMP.encode(), b"").decode() == stamp

    def _damaged(self, path: Path, error: Exception) -> UserError:
        remedy = "delete it and it will be made again from the records" if self._record_entries() else "fetch it again"
        return UserError(f"{path} is damaged ({' '.join(str(error).split())}): {remedy}")

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
            frame = self._read_parquet(name, columns)
            if name == "trials":
                self._refuse_twice(frame)
            if columns:
                return frame
            self._frames[name] = frame
        return self._frames[name]

    def _refuse_twice(self, trials: pd.DataFrame) -> None:
        """Parquet may be older than the check of `results`, or be written by another hand."""
        twice = trials.loc[trials["trial_id"].duplicated(), "trial_id"]
        if len(twice):
            for _ in self.results():  # names the file, if there is one
                pass
            raise self._damaged(self.path / "trials.parquet", ValueError(f"trial {twice.iloc[0]} stands in it twice"))

    def _read_parquet(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        path = self.path / f"{name}.parquet"
        if not path.exists():
            return frames.BUILDERS[name]([], self.path.name)
        try:
            frame = pd.read_parquet(path, columns=columns)
            if columns:
                return frame
            missing = set(frames.BUILDERS[name]([], "").columns) - set(frame.columns)  # of an older version
            figures = layout.metric_columns()
            return frame.assign(**{column: math.nan if column in figures else 0.0 for column in sorted(missing)})
        except Exception as error:
            raise self._damaged(path, error) from None

    def _write_parquet(self, name: str, table: pd.DataFrame, stamp: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path / f"{name}.parquet"
        beside = path.with_name(f".{name}.part")
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        extra: dict[Any, Any] = {_STAMP: stamp}
        try:
            pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **extra}), beside)
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise UserError(f"{path} cannot be written ({error.strerror or error}): make room; the records are kept") from None
