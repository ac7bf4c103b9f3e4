"""A plan: the selected trials of a suite, and which of them remain."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bench.records.store import Store
from bench.suites.selection import Selection, with_fields
from bench.suites.suite import Suite
from lt_core.errors import UserError, some, unknown
from lt_core.fields import checked_value
from lt_core.labels import listed, matches, without_version
from lt_core.result import OK, PRUNED, UNSETTLED
from lt_core.spec import DataSpec, TrialSpec


class NothingMatches(UserError):
    """No trial of a suite matches the selection. For a suite of a group, this is not an error."""


@dataclass(frozen=True)
class Plan:
    """A plan. ``specs`` are the selected trials, in order; ``known`` maps the IDs of those with a record to their status."""

    suite: Suite
    specs: tuple[TrialSpec, ...] = field(repr=False)
    retry_failed: bool = False
    known: Mapping[str, str] = field(default_factory=dict)

    def minus(self, store: Store) -> Plan:
        """The same trials, minus those that ``store`` has by now, because hours may pass between planning and running."""
        known = store.statuses()
        return replace(self, known={spec.trial_id: known[spec.trial_id] for spec in self.specs if spec.trial_id in known})

    @cached_property
    def todo(self) -> tuple[TrialSpec, ...]:
        """The trials to run now. Lost trials are run again, but other failures only with ``retry_failed``."""
        return tuple(spec for spec in self.specs if not self._settled(self.known.get(spec.trial_id)))

    def _settled(self, status: str | None) -> bool:
        return status == OK or (status is not None and status not in UNSETTLED and not self.retry_failed)

    def counts(self) -> dict[str, int]:
        """The numbers of trials in total, done, failed (with a record that is not ok) and left to do."""
        statuses = Counter(self.known.get(spec.trial_id, "") for spec in self.specs)
        failed = sum(n for status, n in statuses.items() if status not in ("", OK, PRUNED))
        return {"trials": len(self.specs), "done": statuses[OK], "failed": failed, "left": len(self.todo)}


def plan(
    suite: Suite,
    store: Store | None = None,
    selection: Selection | None = None,
    **fields: Any,
) -> Plan:
    """Plan the trials of ``suite``, minus those that ``store`` has.

    Args:
        selection: which trials to select [default: all].
        fields: fields of `Selection` that override ``selection``: ``plan(suite, only="cb_*", seeds=3)``.

    Raises:
        NothingMatches: ``only`` or ``where`` matches no trial of the suite.
        UserError: ``where`` names an unknown field or an invalid value.

    >>> from bench import load_suite
    >>> [spec.method.label for spec in plan(load_suite("cifar10_drw"), only="*drw", seeds=[0]).todo]
    ['ce_drw', 'ldam_drw', 'mm_drw[max_margin=1.4,mm_gamma=1.4]']
    """
    (asked,) = with_fields(fields, selection or Selection())
    specs = list(suite.specs)
    if asked.only is not None:
        specs = [s for s in specs if matches(asked.only, s.method.label)]
        if not specs:
            names = some(spec.method.name for spec in suite.specs)
            raise NothingMatches(f"--only '{asked.only}' matches no method of suite {suite.name}, which has {names}")
    if asked.where:
        specs = _where(specs, asked.where, suite.name)
    if asked.subset_seeds is not None:
        specs = [replace(spec, data=replace(spec.data, subset_seed=seed)) for spec in specs for seed in asked.subset_seeds]
    if asked.seeds is not None:
        specs = [replace(spec, seed=seed) for spec in specs for seed in asked.seeds]
    changes = {key: value for key in ("epochs", "precision") if (value := getattr(asked, key)) is not None}
    specs = [replace(spec, recipe=replace(spec.recipe, **changes)) for spec in specs] if changes else specs
    unique = list({spec.trial_id: spec for spec in specs}.values())[: asked.limit]
    planned = Plan(suite, tuple(unique), asked.retry_failed)
    return planned.minus(store) if store else planned


def _where(specs: Sequence[TrialSpec], where: Mapping[str, Any], suite: str) -> list[TrialSpec]:
    """The trials among ``specs`` whose data have the values in ``where``."""
    fields = [field.name for field in dataclasses.fields(DataSpec)]
    kept = list(specs)
    for key, text in where.items():
        if key not in fields:
            raise unknown("key", key, fields, "--where")
        value = checked_value(DataSpec, key, text, "--where: ")
        # The values of the trials that matched the earlier keys, so that the message lists values that would match.
        there = dict.fromkeys(listed(getattr(spec.data, key)) for spec in kept)
        kept = [spec for spec in kept if value in (found := getattr(spec.data, key), without_version(found))]
        if not kept:
            raise NothingMatches(f"--where {key}={listed(value)} matches no trial of suite {suite}, which has {', '.join(there)}")
    return kept
