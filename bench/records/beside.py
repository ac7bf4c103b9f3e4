"""A run together with rows of other runs, for example your method next to committed rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bench.records.store import Store
from lt_core.result import TrialResult


class Beside(Store):
    """The run ``own``, with the trials of ``others`` after its own in every frame. A trial that is in several runs is taken from
    the first of them.

    It is read-only: nothing is written to any of the runs.
    """

    def __init__(self, own: Store, others: Sequence[Store]) -> None:
        super().__init__(own.path, own.skip_damaged)
        self._stores = (own, *others)
        self._together: dict[str, pd.DataFrame] = {}

    def results(self) -> Iterator[TrialResult]:
        """The records of all runs; a run that has only Parquet files adds none."""
        seen: set[str] = set()
        for store in self._stores:
            for result in store.results():
                if result.trial_id not in seen:
                    seen.add(result.trial_id)
                    yield result

    def having(self, field: str) -> set[str]:
        """As in `Store`, over all runs."""
        return set().union(*(store.having(field) for store in self._stores))

    def _load(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        if name not in self._together:
            seen: set[str] = set()
            parts = []
            for store in self._stores:
                frame = store._load(name)
                new = set(store.statuses()) - seen
                seen |= new
                parts.append(frame[frame["trial_id"].isin(new)])
            self._together[name] = pd.concat(parts, ignore_index=True)
        return self._together[name]


def opened(run: str, beside: Sequence[str] | None = None, skip_damaged: bool = False) -> Store:
    """The run with this name or folder, together with the runs ``beside`` it; ``skip_damaged``: see `Store`.

    Raises:
        UserError: one of them is not a run.
    """
    own = Store.open(run, skip_damaged)
    return Beside(own, [Store.open(other, skip_damaged) for other in beside]) if beside else own
