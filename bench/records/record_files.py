"""The records of a run: one JSON file per trial, written completely or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from bench.records import layout
from bench.records.damage import Damages, told
from bench.records.record import decoded, encoded, result_of
from lt_core.errors import UserError
from lt_core.predictions import load
from lt_core.result import TrialResult
from lt_core.side_file import PREDICTIONS
from lt_core.whole_files import UNFINISHED, replacing

_load = lru_cache(maxsize=1)(load)  # several metrics look at the predictions of one trial after another


class RecordFiles:
    """The folder ``records/`` of a run.

    Args:
        run: the run's folder.
        skip_damaged: leave out records that cannot be read, with a warning, instead of raising an error that lists them all.

    Attributes:
        left_out: damaged records that were left out, each with what is wrong with it.
    """

    def __init__(self, run: Path, skip_damaged: bool = False) -> None:
        self.run, self.skip_damaged = run, skip_damaged
        self.folder, self.predictions = run / "records", run / "predictions"
        self.left_out: dict[Path, str] = {}
        self._having: dict[str, set[str]] | None = None

    def write(self, result: TrialResult) -> None:
        """Keep a finished or failed trial: its record is written to a temporary name, fsync'ed and renamed.

        Raises:
            UserError: the disk is full or the folder cannot be written; nothing is overwritten then.
        """
        path = self.folder / f"{result.trial_id}.json"
        try:
            with replacing(path, sync=True) as beside:
                beside.write_bytes(encoded(result))
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror}): free some disk space and run the same command again; nothing "
                "is lost"
            ) from None
        self._having = None

    def remove_unfinished(self) -> None:
        """Delete what a writer that was killed left half-written."""
        for left in self.folder.glob(f".*{UNFINISHED}"):
            left.unlink(missing_ok=True)

    def read(self, trial_id: str) -> TrialResult | None:
        """The record of one trial; None if it has none.

        Raises:
            UserError: the record is not readable; it is left as it is.
        """
        path = self.folder / f"{trial_id}.json"
        if not path.exists():
            return None
        with told(path):
            return self._read(path)

    def results(self) -> Iterator[TrialResult]:
        """All records, in order of trial ID.

        Raises:
            UserError: after all of them have been read: some are damaged, of a newer version or not named after their trial,
                such as copies. They are left as they are.
        """
        return self._results(map(Path, self.entries()))

    def results_of(self, trial_ids: Collection[str]) -> Iterator[TrialResult]:
        """The records of those of these trials that have one, in order of trial ID.

        Raises:
            UserError: as `results`.
        """
        files = [self.folder / f"{trial_id}.json" for trial_id in sorted(trial_ids)]
        return self._results(file for file in files if file.exists())

    def having(self, field: str) -> set[str]:
        """IDs of the trials whose record has something under ``field``, one of `layout.EXTRAS`.

        All of these fields are looked up in one pass. Records that say that they have none of them, as nearly all do, are not
        even parsed.

        Raises:
            UserError: as `results`.
        """
        if self._having is None:
            having: dict[str, set[str]] = {name: set() for name in layout.EXTRAS}
            none = [f'"{name}":[]'.encode() for name in layout.EXTRAS]  # no text in a record looks so: its quotes are escaped
            damages = Damages()
            for path in map(Path, self.entries()):
                with damages.noted(path):
                    content = path.read_bytes()
                    if all(words in content for words in none):
                        continue
                    record, vouched = decoded(content)
                    for name in layout.EXTRAS:
                        if record.get(name):
                            having[name].add(result_of(path, record, vouched).trial_id)
            self._refuse(damages)
            self._having = having
        return self._having[field]

    def entries(self) -> list[os.DirEntry[str]]:
        """The files, in order of trial ID; empty if there are none."""
        if not self.folder.is_dir():
            return []
        with os.scandir(self.folder) as entries:
            there = [entry for entry in entries if entry.name.endswith(".json") and not entry.name.startswith(".")]
        return sorted(there, key=lambda entry: entry.name)

    def states(self) -> dict[str, str]:
        """Trial ID → size and time of its record, which change whenever the record is replaced; in order of trial ID."""
        found = {}
        for entry in self.entries():
            stat = entry.stat()
            found[entry.name.removesuffix(".json")] = f"{stat.st_size} {stat.st_mtime_ns}"
        return found

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
        """Raise for records that cannot be read, or warn of each once if they are to be left out."""
        new = damages.found.keys() - self.left_out.keys()
        if new and not self.skip_damaged:
            raise UserError(str(damages))
        if new:
            warnings.warn(f"unreadable records left out of {self.run}: {damages}", stacklevel=3)
        self.left_out |= damages.found

    def _read(self, path: Path) -> TrialResult:
        result = result_of(path, *decoded(path.read_bytes()))
        digest = result.environment.get(PREDICTIONS.name)
        if not digest:
            return result
        return replace(result, kept=partial(_load, PREDICTIONS.path(self.predictions, result.trial_id), digest))
