"""The trials of a run whose trained networks were kept, and these networks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.analysis.comparable import BASELINE, chosen, one_budget, reported
from bench.records import side_files
from bench.records.columns import LABEL_HEADINGS, data_column, describe_trial
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.result import OK, TrialResult
from lt_core.side_file import WEIGHTS
from lt_core.spec import DataSpec
from lt_core.trained import Trained, load


def kept_trials(store: Store, only: str = "*") -> list[TrialResult]:
    """The finished trials with weights whose method or label matches ``only``: the baseline first, then by label, subset and
    seed. Trials of a search are left out, as in every table.

    Raises:
        UserError: there are none.
    """
    rows, _ = reported(chosen(store.frame(), only))
    done = set(rows.loc[rows["status"] == OK, "trial_id"])
    found = [result for result in store.results_of(done) if WEIGHTS.name in result.environment]
    if not found:
        raise UserError(
            f"no finished trial of these methods in {store.path} has kept its weights: run them with --keep weights into a fresh "
            "--out"
        )
    return sorted(found, key=_order)


def _order(result: TrialResult) -> tuple[bool, str, int, int]:
    label = result.spec.method.label
    return label != BASELINE, label, result.spec.data.subset_seed, result.spec.seed


def of_one_budget(store: Store, results: Sequence[TrialResult]) -> tuple[list[TrialResult], list[str]]:
    """Those of ``results`` that may share a table, such as trials with the same number of epochs, and notes on what they are."""
    rows = store.frame()
    kept, notes = one_budget(rows[rows["trial_id"].isin([result.trial_id for result in results])], LABEL_HEADINGS)
    there = set(kept["trial_id"])
    return [result for result in results if result.trial_id in there], notes


def by_data(results: Iterable[TrialResult]) -> dict[DataSpec, list[TrialResult]]:
    """The trials of each data column, from balanced to imbalanced data."""
    groups: dict[DataSpec, list[TrialResult]] = {}
    for result in results:
        groups.setdefault(data_column(result.spec.data), []).append(result)
    return dict(sorted(groups.items(), key=lambda item: (item[0].dataset, item[0].imbalance_factor)))


def network(store: Store, result: TrialResult) -> Trained:
    """The trained classifier of a trial, checked.

    Raises:
        UserError: its file is missing, damaged or of another trial, or a plug-in file of the trial is not loaded.
    """
    return load(_file(store, result), result.environment[WEIGHTS.name])


def export(store: Store, results: Iterable[TrialResult], out: Path) -> Iterator[Path]:
    """Copy the weights of trials into the folder ``out``, each checked, under names that say what they are; the new files.

    Raises:
        UserError: as `network`, or ``out`` cannot be written.
    """
    for result in results:
        WEIGHTS.read(_file(store, result), result.environment[WEIGHTS.name])
        copied = out / f"{file_name(result)}{WEIGHTS.ending}"
        try:
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_file(store, result), copied)
        except OSError as error:
            raise UserError(f"{copied} cannot be written ({error.strerror}): give another --out") from None
        yield copied


def file_name(result: TrialResult) -> str:
    """``softmax-digits-if-50-seed-1-b1c80abf7cd78ac8``."""
    words = re.sub(r"[^a-z0-9_.]+", "-", describe_trial(result.spec).lower()).strip("-")
    return f"{words}-{result.trial_id}"


def _file(store: Store, result: TrialResult) -> Path:
    return WEIGHTS.path(side_files.folder(store, WEIGHTS), result.trial_id)
