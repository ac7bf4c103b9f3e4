"""Merging runs from several machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.records import frames, parquet, side_files
from bench.records.layout import trial_columns
from bench.records.store import Store
from bench.records.stored import FEATURES, KIND, Stored, stored_in
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.result import OK


def merge(sources: Sequence[Store], out: Path, say: Callable[[str], None] = print) -> tuple[int, int]:
    """Copy the trials of ``sources`` into the run in ``out``.

    If several runs have a trial, one of a suite wins over one of a search, and a finished one over a failed one; otherwise the
    first wins. Other figures, from other kinds
    of device or of operations that do not repeat themselves, are left out and reported. Predictions and weights are copied with
    their trial. If any of the runs consists of Parquet files alone, so does the merged run.

    Returns:
        The number of trials added, and the number of trials that occurred more than once.

    Raises:
        UserError: two machines of one kind measured different figures for one trial, ``out`` has records and a source has none,
            or another process writes to ``out``. Nothing is written then.
    """
    target = Store(out)
    before = target.statuses()
    bare = list(dict.fromkeys(store.path for store in (*sources, target) if store.only_parquet()))
    if bare and before and not target.only_parquet():
        raise UserError(
            f"{bare[0]} contains only Parquet files, which cannot be merged into the records of {out}: choose another --out"
        )
    kept = {trial.trial_id: trial for trial in stored_in(target, bool(bare))}
    homes, shared = dict.fromkeys(kept, target), 0
    for store in sources:
        others = 0
        for trial in stored_in(store, bool(bare)):
            known = kept.get(trial.trial_id)
            better = known is None or trial.precedence < known.precedence
            if better:
                kept[trial.trial_id], homes[trial.trial_id] = trial, store
            if known is not None:
                shared += 1
                others += _differs(known, trial, store) and not better
        if others:
            words = "the target run already has them, with figures of another kind of device or of an operation that varies"
            say(f"{counted(others, 'trial')} of {store.path} not merged: {words}")
    added = {trial_id: home for trial_id, home in homes.items() if home is not target}
    made = _frames(homes, [target, *sources], out.resolve().name) if bare else {}
    target = Store.create(out)
    with target.lock(records=not bare):
        if target.statuses() != before:
            raise UserError(f"another process has written to {out} in the meantime: run the same command again")
        for trial_id, home in added.items():
            side_files.copy(trial_id, home, target)
            if record := kept[trial_id].record:
                target.write(record)
        if bare:
            parquet.write(out, made)
            why = ", as before" if bare == [out] else f", because there are no records in {', '.join(map(str, bare))}"
            say(f"{out} consists of Parquet files alone{why}")
        else:
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
    trials = made["trials"].assign(suite=suite)
    return made | {"trials": trials[list(dict.fromkeys((*trial_columns(), *trials.columns)))]}


def _differs(known: Stored, other: Stored, store: Store) -> bool:
    """Whether two machines measured different figures for a trial. Raise an error if they are of one kind and neither trial names
    an operation that does not repeat itself.
    """
    if not (known.status == other.status == OK and known.figures != other.figures):
        return False
    # An older record does not say on which features it was trained; then that is no reason for other figures.
    keys = [k for k in KIND if k != FEATURES or (k in known.environment and k in other.environment)]
    kind = [tuple(trial.environment.get(k) for k in keys) for trial in (known, other)]
    if kind[0] == kind[1] and not any(trial.environment.get("not_repeatable") for trial in (known, other)):
        raise UserError(
            f"trial {other.trial_id} ({other.spec.method.label}, seed {other.spec.seed}) in {store.path} has different "
            f"figures in another run on the same kind of machine ({kind[0][0]}): run `bench.py verify` on both to find out "
            "which is wrong"
        )
    return True
