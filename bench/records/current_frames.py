"""The frames of a run: read from its Parquet files while these are up to date, and built from the records otherwise."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from bench.records import frames, parquet
from bench.records.record_files import RecordFiles
from lt_core.errors import UserError


class CurrentFrames:
    """The frames of `frames.BUILDERS` for the run in the folder ``run``, held once they have been read.

    If records were left out because they are damaged, no Parquet is written: they would be missing from it without a trace.
    """

    def __init__(self, run: Path, records: RecordFiles) -> None:
        self._run, self._records = run, records
        self._frames: dict[str, pd.DataFrame] | None = None

    def load(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """A frame: from its Parquet file if all of these are current or there are no records; otherwise all frames are built.

        Args:
            columns: those that are needed, if they are few.

        Raises:
            UserError: a record cannot be read, there are no records and the Parquet file is damaged, or records were copied
                beside Parquet files that were made without them.
        """
        if self._frames is None:
            states = self._records.states()
            if states and not self.are_of(states):
                if self._stamp_of("trials") == parquet.NO_RECORDS:
                    raise UserError(
                        f"{self._run} was merged from Parquet files, whose rows its records would replace: move its folder "
                        "records/ elsewhere"
                    )
                with _no_collection():
                    self._frames = self._made(states)
            else:
                self._frames = {}
        if name not in self._frames:  # one at a time: those of a large run are slow to read, and few commands need them all
            try:
                frame = parquet.read(self._run, name, columns)
            except parquet.Damaged as error:
                if not self._records.entries():
                    raise self._damaged(parquet.file_of(self._run, name), error) from None
                with _no_collection():  # the file was damaged since it was found to be whole
                    self._frames = frames.build(self._records.results(), self._run.resolve().name)
                return self._frames[name]
            if name == "trials":
                self._refuse_twice(frame)
            if columns:
                return frame
            self._frames[name] = frame
        return self._frames[name]

    def forget(self) -> None:
        """Read the frames again when they are next asked for, because a record was written."""
        self._frames = None

    def compact(self) -> None:
        """Bring the Parquet files up to date with the records."""
        parquet.finish(self._run)
        self.forget()  # what was read may be older than the states
        states = self._records.states()
        if not states or self.are_of(states):
            return
        self.load("trials")  # all of them are made
        if self._frames and not self._records.left_out:
            parquet.write(self._run, self._frames, states)

    def are_of(self, states: Mapping[str, str]) -> bool:
        """Whether all Parquet files are intact and were made from the records that ``states`` describes."""
        stamp = parquet.stamp(states)
        return all(self._stamp_of(name) == stamp for name in frames.BUILDERS)

    def _stamp_of(self, name: str) -> str | None:
        try:
            return parquet.stamp_of(self._run, name)
        except parquet.Damaged as error:
            path = parquet.file_of(self._run, name)
            warnings.warn(f"{path} is damaged ({error}) and is rebuilt from the records", stacklevel=2)
            return None

    def _made(self, states: Mapping[str, str]) -> dict[str, pd.DataFrame]:
        """All frames. Rows of trials whose records have not changed come from the Parquet files, so that only others are read."""
        suite, before = self._run.resolve().name, parquet.states_in(self._run)
        same = {trial_id for trial_id, state in states.items() if before.get(trial_id) == state}
        kept = self._rows_of(same) if same and self.are_of(before) else {}
        if not kept or len(kept["trials"]) != len(same):
            return frames.build(self._records.results(), suite)
        kept["trials"] = kept["trials"].assign(suite=suite)  # the folder may have been renamed
        return frames.joined(kept, frames.build(self._records.results_of(states.keys() - same), suite))

    def _rows_of(self, trial_ids: Collection[str]) -> dict[str, pd.DataFrame]:
        """The rows of these trials in the Parquet files; nothing if another process is just replacing these."""
        try:
            found = {name: parquet.read(self._run, name) for name in frames.BUILDERS}
        except parquet.Damaged:
            return {}
        return {name: frame[frame["trial_id"].isin(trial_ids)] for name, frame in found.items()}

    def _refuse_twice(self, trials: pd.DataFrame) -> None:
        """Raise if a trial occurs twice, as it can in a Parquet file that the benchmark did not write."""
        twice = trials.loc[trials["trial_id"].duplicated(), "trial_id"]
        if len(twice):
            raise self._damaged(parquet.file_of(self._run, "trials"), f"it contains trial {twice.iloc[0]} twice")

    def _damaged(self, path: Path, error: object) -> UserError:
        rebuilt = "delete it, and it will be rebuilt from the records"
        remedy = rebuilt if self._records.entries() else "copy it again from its source"
        return UserError(f"{path} is damaged ({error}): {remedy}")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector: thousands of records are made and none is garbage, but it would search them repeatedly."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
