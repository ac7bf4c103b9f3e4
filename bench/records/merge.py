"""Merging runs from several machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.records import side_files
from bench.records.columns import MACHINE
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.metrics import MARGINS
from lt_core.result import OK, TrialResult

#: The kind of device in a trial's environment. On one kind, the figures depend only on the trial's id.
KIND = (*MACHINE, "processor", "torch")


def figures_of(result: TrialResult) -> tuple[object, ...]:
    """The figures of a trial, without those that depend on the clock and the machine, or that older records lack."""
    parts = (result.confusion, result.class_counts), (result.validation_confusion, result.validation_class_counts)
    margins = [[counts.get(name) for name in MARGINS] for _, counts in parts]
    return result.status, result.train_counts, *(matrix for matrix, _ in parts), margins


def merge(sources: Sequence[Store], out: Path, say: Callable[[str], None] = print) -> tuple[int, int]:
    """Copy the records of ``sources`` into the run in ``out``.

    If several runs have a trial, a finished record wins over a failed one; otherwise the first wins. Other figures, from other
    kinds of device or of operations that do not repeat themselves, are left out and reported. Predictions and weights are copied
    with their record.

    Returns:
        The number of records added, and the number of trials that occurred more than once.

    Raises:
        UserError: two machines of one kind measured different figures for one trial, or a run has only its Parquet files. Nothing
            is written then.
    """
    for store in sources:
        store.needs_records("merge")
    target = Store(out)
    kept: dict[str, TrialResult] = {r.trial_id: r for r in target.results()}
    old, homes, shared = dict(kept), dict[str, Store](), 0
    for store in sources:
        others = 0
        for result in store.results():
            known = kept.get(result.trial_id)
            if known is None or (known.status != OK and result.status == OK):
                kept[result.trial_id], homes[result.trial_id] = result, store
            if known is not None:
                shared += 1
                others += _differs(known, result, store)
        if others:
            words = "the target run already has them, with figures of another kind of device or of an operation that varies"
            say(f"{counted(others, 'trial')} of {store.path} not merged: {words}")
    target = Store.create(out)
    with target.lock():
        added = [result for trial_id, result in kept.items() if old.get(trial_id) is not result]
        for result in added:
            side_files.copy(result.trial_id, homes[result.trial_id], target)
            target.write(result)
    target.compact()
    return len(added), shared


def _differs(known: TrialResult, other: TrialResult, store: Store) -> bool:
    """Whether two machines measured different figures for a trial. Raise an error if they are of one kind and the record names no
    operation that does not repeat itself.
    """
    if not (known.status == other.status == OK and figures_of(known) != figures_of(other)):
        return False
    kind = [tuple(r.environment.get(k) for k in KIND) for r in (known, other)]
    if kind[0] == kind[1] and not any(r.environment.get("not_repeatable") for r in (known, other)):
        raise UserError(
            f"trial {other.trial_id} ({other.spec.method.label}, seed {other.spec.seed}) in {store.path} has different "
            f"figures in another run on the same kind of machine ({kind[0][0]}): run `bench.py verify` on both to find out "
            "which is wrong"
        )
    return True
