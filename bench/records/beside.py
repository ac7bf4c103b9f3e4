"""A run together with rows of other runs, for example your method next to committed rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import pandas as pd

from bench.records.store import Store
from bench.records.stored import precedence
from lt_core.result import TrialResult


class Beside(Store):
    """The run ``own``, with the trials of ``others`` after its own in every frame. A trial that is in several runs is taken from
    the first of them, but one of a suite before one of a search, which is never shown, and a finished one before a failed one.

    It is read-only: nothing is written to any of the runs.
    """

    def __init__(self, own: Store, others: Sequence[Store]) -> None:
        super().__init__(own.path, own.skip_damaged)
        self._stores = (own, *others)
        self._together: dict[str, pd.DataFrame] = {}

    def results(self) -> Iterator[TrialResult]:
        """The records of all runs; a run that has only Parquet files adds none."""
        homes = self._homes()
        for number, store in enumerate(self._stores):
            for result in store.results():
                if homes.get(result.trial_id, number) == number:
                    yield result

    def having(self, field: str) -> set[str]:
        """As in `Store`, over all runs."""
        return set().union(*(store.having(field) for store in self._stores))

    def _load(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        if name not in self._together:
            homes = self._homes()
            loaded = (store._load(name) for store in self._stores)
            parts = [frame[frame["trial_id"].map(homes) == number] for number, frame in enumerate(loaded)]
            self._together[name] = pd.concat(parts, ignore_index=True)
        return self._together[name]

    def _homes(self) -> dict[str, int]:
        """Trial → the number of the run from which it is taken."""
        best: dict[str, tuple[Hashable, int]] = {}
        for number, store in enumerate(self._stores):
            trials = store.frame()
            for trial_id, status, searched in zip(trials["trial_id"], trials["status"], trials["searched"], strict=True):
                mine = precedence(status, bool(searched)), number
                best[trial_id] = min(best.get(trial_id, mine), mine)
        return {trial_id: number for trial_id, (_, number) in best.items()}


def opened(run: str, beside: Sequence[str] | None = None, skip_damaged: bool = False) -> Store:
    """The run with this name or folder, together with the runs ``beside`` it; ``skip_damaged``: see `Store`.

    Raises:
        UserError: one of them is not a run.
    """
    own = Store.open(run, skip_damaged)
    return Beside(own, [Store.open(other, skip_damaged) for other in beside]) if beside else own
