"""A plan: the trials of a suite that are asked for, and which of them are still to do."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.records.store import Store
from bench.suites.suite import Suite
from lt_core.errors import UserError, unknown
from lt_core.fields import checked_value
from lt_core.labels import matches, short
from lt_core.result import OK, PRUNED, UNSETTLED
from lt_core.spec import DataSpec, TrialSpec


class NothingMatches(UserError):
    """A suite has no trial of the kind that was asked for: no matter where it is one of a group's."""


@dataclass(frozen=True)
class Plan:
    """``specs``: the trials asked for, in order; ``known``: status of those that have a record; ``todo``: to run now."""

    suite: Suite
    specs: tuple[TrialSpec, ...]
    known: Mapping[str, str]
    todo: tuple[TrialSpec, ...]

    def counts(self) -> dict[str, int]:
        """Trials in all, done, failed (with a record that is not ok) and left to do."""
        statuses = Counter(self.known.get(spec.trial_id, "") for spec in self.specs)
        failed = sum(n for status, n in statuses.items() if status not in ("", OK, PRUNED))
        return {"trials": len(self.specs), "done": statuses[OK], "failed": failed, "left": len(self.todo)}


def plan(
    suite: Suite,
    store: Store | None = None,
    *,
    only: str | None = None,
    where: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    epochs: int | None = None,
    precision: str | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
) -> Plan:
    """Expand ``suite``, minus what ``store`` holds.

    A trial whose worker was lost is tried again; any other failure stays as it is unless ``retry_failed``.

    Args:
        only: glob on method names or labels, such as ``cb_*``.
        where: values of `DataSpec`'s fields, such as ``{"imbalance_factor": 100}``; text is read as the field's type says.
        seeds: these seeds in place of the suite's.
        epochs: train this long in place of the recipe's length (schedules scale with it).
        precision: mixed precision on (``bfloat16``), off (``float32``), or where the processor has it (``auto``).
        limit: at most this many trials.

    Raises:
        NothingMatches: ``only`` or ``where`` matches no trial of the suite.
        UserError: ``where`` names no field, or a value that the field cannot have.
    """
    specs = list(suite.specs)
    if only is not None:
        specs = [s for s in specs if matches(only, s.method.label)]
        if not specs:
            names = ", ".join(dict.fromkeys(s.method.name for s in suite.specs))
            raise NothingMatches(f"--only '{only}' matches no method of suite {suite.name}, which has {names}")
    if where:
        specs = _where(specs, where, suite.name)
    if seeds is not None:
        specs = [replace(spec, seed=seed) for spec in specs for seed in seeds]
    if epochs is not None:
        specs = [replace(spec, recipe=replace(spec.recipe, epochs=epochs)) for spec in specs]
    if precision is not None:
        specs = [replace(spec, recipe=replace(spec.recipe, precision=precision)) for spec in specs]
    unique = list({spec.trial_id: spec for spec in specs}.values())[:limit]
    known = store.statuses() if store else {}
    settled = {i for i, status in known.items() if status == OK or (status not in UNSETTLED and not retry_failed)}
    todo = tuple(spec for spec in unique if spec.trial_id not in settled)
    return Plan(suite, tuple(unique), {s.trial_id: known[s.trial_id] for s in unique if s.trial_id in known}, todo)


def _where(specs: Sequence[TrialSpec], where: Mapping[str, Any], suite: str) -> list[TrialSpec]:
    """Those of ``specs`` whose data have the values of ``where``."""
    fields = [field.name for field in dataclasses.fields(DataSpec)]
    kept = list(specs)
    for key, text in where.items():
        if key not in fields:
            raise unknown("key", key, fields, "--where")
        value = checked_value(DataSpec, key, text, "--where: ")
        # Of what the keys before this one left, so that the values named are values that would match.
        there = dict.fromkeys(short(getattr(spec.data, key)) for spec in kept)
        kept = [spec for spec in kept if getattr(spec.data, key) == value]
        if not kept:
            raise NothingMatches(f"--where {key}={short(value)} matches no trial of suite {suite}, which has {', '.join(there)}")
    return kept
