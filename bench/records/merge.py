"""Merging runs from several machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.records import frames, parquet, side_files
from bench.records.store import Store
from bench.records.stored import KIND, Stored, stored_in
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.result import OK


def merge(sources: Sequence[Store], out: Path, say: Callable[[str], None] = print) -> tuple[int, int]:
    """Copy the trials of ``sources`` into the run in ``out``.

    If several runs have a trial, a finished one wins over a failed one; otherwise the first wins. Other figures, from other kinds
    of device or of operations that do not repeat themselves, are left out and reported. Predictions and weights are copied with
    their record. If any of the runs consists of Parquet files alone, so does the merged run.

    Returns:
        The number of trials added, and the number of trials that occurred more than once.

    Raises:
        UserError: two machines of one kind measured different figures for one trial, or ``out`` has records and a source has
            none. Nothing is written then.
    """
    target = Store(out)
    bare = [store for store in (*sources, target) if not store.has_records()]
    if bare and target.has_records() and target.statuses():
        raise UserError(f"{out} has records, but {bare[0].path} contains only Parquet files: choose another --out")
    kept = {trial.trial_id: trial for trial in stored_in(target, not bare)}
    homes, shared = dict.fromkeys(kept, target), 0
    for store in sources:
        others = 0
        for trial in stored_in(store, not bare):
            known = kept.get(trial.trial_id)
            if known is None or (known.status != OK and trial.status == OK):
                kept[trial.trial_id], homes[trial.trial_id] = trial, store
            if known is not None:
                shared += 1
                others += _differs(known, trial, store)
        if others:
            words = "the target run already has them, with figures of another kind of device or of an operation that varies"
            say(f"{counted(others, 'trial')} of {store.path} not merged: {words}")
    added = {trial_id: home for trial_id, home in homes.items() if home is not target}
    made = _frames(homes, [target, *sources], out.resolve().name) if bare else {}
    target = Store.create(out)
    with target.lock(records=not bare):
        if bare:
            parquet.write(out, made, "")
            say(f"{out} has no records, because there are none in {', '.join(str(store.path) for store in bare)}")
        for trial_id, home in added.items():
            if record := kept[trial_id].record:
                side_files.copy(trial_id, home, target)
                target.write(record)
    target.compact()
    return len(added), shared


def _frames(homes: Mapping[str, Store], stores: Sequence[Store], suite: str) -> dict[str, pd.DataFrame]:
    """The frames of a run of this name, with each trial's rows from the run in ``homes``, in order of trial ID."""
    whole: dict[str, Callable[[Store], pd.DataFrame]] = {
        "trials": Store.frame, "per_class": Store.per_class, "curves": Store.curves, "rounds": Store.generations,
    }  # fmt: skip
    made = {}
    for name in frames.BUILDERS:
        parts = [rows[rows["trial_id"].map(homes) == store] for store in dict.fromkeys(stores) if len(rows := whole[name](store))]
        joined = pd.concat(parts) if parts else whole[name](stores[0])
        made[name] = joined.sort_values("trial_id", kind="stable", ignore_index=True)
    return made | {"trials": made["trials"].assign(suite=suite)}


def _differs(known: Stored, other: Stored, store: Store) -> bool:
    """Whether two machines measured different figures for a trial. Raise an error if they are of one kind and neither trial names
    an operation that does not repeat itself.
    """
    if not (known.status == other.status == OK and known.figures != other.figures):
        return False
    kind = [tuple(trial.environment.get(k) for k in KIND) for trial in (known, other)]
    if kind[0] == kind[1] and not any(trial.environment.get("not_repeatable") for trial in (known, other)):
        raise UserError(
            f"trial {other.trial_id} ({other.spec.method.label}, seed {other.spec.seed}) in {store.path} has different "
            f"figures in another run on the same kind of machine ({kind[0][0]}): run `bench.py verify` on both to find out "
            "which is wrong"
        )
    return True
