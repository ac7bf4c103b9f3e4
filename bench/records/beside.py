"""A run with the rows of others beside its own: a method of yours and the rows that were committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bench.records.store import Store
from lt_core.result import TrialResult


class Beside(Store):
    """The run ``own``, in whose frames the trials of ``others`` follow its own; a trial of several runs is the first one's.

    It is for reading: nothing is written to any of them.
    """

    def __init__(self, own: Store, others: Sequence[Store]) -> None:
        super().__init__(own.path)
        self._stores = (own, *others)

    def results(self) -> Iterator[TrialResult]:
        """The records of all of them, as far as they have any."""
        seen: set[str] = set()
        for store in self._stores:
            for result in store.results():
                if result.trial_id not in seen:
                    seen.add(result.trial_id)
                    yield result

    def _load(self, stamp: str = "") -> dict[str, pd.DataFrame]:
        if self._frames is None:
            seen: set[str] = set()
            found: dict[str, list[pd.DataFrame]] = {}
            for store in self._stores:
                frames = store._load()
                new = set(frames["trials"]["trial_id"]) - seen
                seen |= new
                for name, frame in frames.items():
                    found.setdefault(name, []).append(frame[frame["trial_id"].isin(new)])
            self._frames = {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}
        return self._frames


def opened(run: str, beside: Sequence[str] | None = None) -> Store:
    """The run of that name or in that folder, with those ``beside`` it.

    Raises:
        UserError: one of them is no run.
    """
    own = Store.open(run)
    return Beside(own, [Store.open(other) for other in beside]) if beside else own
