"""Which trials of a suite are selected. Imports very little, because the command line is declared from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.suites.seeds import first_seeds, these_seeds
from lt_core.errors import UserError, unknown
from lt_core.fields import domains, param
from lt_core.labels import cut_at_commas
from lt_core.recipes import Recipe


@dataclass(frozen=True)
class Selection:
    """Which trials of a suite are selected, and what is changed in them; by default all of them, unchanged.

    In Python, ``seeds`` and ``subset_seeds`` are numbers or sequences, and ``where`` is a mapping of `DataSpec`'s fields, such as
    ``{"imbalance_factor": 100}``; both may also be text, as on the command line. ``precision`` is ``bfloat16``, ``float32``, or
    ``auto``, which is mixed precision if the processor supports it.

    >>> Selection(only="cb_*", where="imbalance_factor=100", seeds="3")
    Selection(only='cb_*', where={'imbalance_factor': '100'}, seeds=(0, 1, 2), seed=None, ...)

    Raises:
        UserError: an invalid value.
    """

    only: str | None = param(
        None, "only these methods or labels, as names or globs, e.g. 'softmax,cb_*'; '=softmax' matches only the label itself"
    )
    where: Mapping[str, Any] | None = param(
        None, "only trials on data with these values, e.g. dataset=cifar10,imbalance_factor=100; a list is written [50,30,10]"
    )
    seeds: Sequence[int] | None = param(
        None, "number of seeds, or a list such as 0,3,7 (=3 for the seed 3 alone), instead of the suite's seeds"
    )
    seed: int | None = param(None, "run only this seed, such as the index of a task in a job array", low=0)
    subset_seeds: Sequence[int] | None = param(
        None, "number of subsets of the images, or a list of their seeds such as 0,3,7, instead of the suite's subsets"
    )
    epochs: int | None = param(None, "number of epochs, with which the recipe's schedule scales", low=1)
    precision: str | None = param(None, "precision, instead of the recipe's", choices=domains(Recipe)["precision"].choices)
    limit: int | None = param(None, "run at most this many trials of each suite", low=1)
    retry_failed: bool = param(False, "run failed trials again")

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", _where(self.where))
        if self.seed is not None and self.seeds is not None:
            raise UserError("--seed selects one seed and --seeds several: give only one of the two")
        if self.subset_seeds is not None and "subset_seed" in (self.where or {}):
            raise UserError("--subset-seeds and --where subset_seed both select subsets: give only one of the two")
        seeds = _seeds(self.seeds, "--seeds") if self.seed is None else these_seeds([self.seed], "--seed")
        object.__setattr__(self, "seeds", seeds)
        object.__setattr__(self, "subset_seeds", _seeds(self.subset_seeds, "--subset-seeds"))
        object.__setattr__(self, "seed", None)  # `seeds` has it from here on
        refuse_below(self)


def refuse_below(record: Any) -> None:
    """Raise an error for a number in ``record`` that is not finite, or smaller than its field allows."""
    for key, domain in domains(type(record)).items():
        value = getattr(record, key)
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{key} must be a finite number, got {value!r}")
        if isinstance(value, int | float) and domain.low is not None and value < domain.low:
            raise UserError(f"{key} must be {domain.low:g} or more, got {value!r}")


def with_fields(fields: Mapping[str, Any], *records: Any) -> list[Any]:
    """``records``, which are dataclasses without common fields, with the values in ``fields``.

    Raises:
        UserError: a field is unknown, or a value is invalid.
    """
    owners = {field.name: place for place, record in enumerate(records) for field in dataclasses.fields(record)}
    for key in fields:
        if key not in owners:
            raise unknown("option", key, owners)
    return [
        dataclasses.replace(record, **{key: value for key, value in fields.items() if owners[key] == place})
        for place, record in enumerate(records)
    ]


def _where(given: Mapping[str, Any] | str | None) -> Mapping[str, Any] | None:
    if not isinstance(given, str):
        return given
    pairs = [pair.partition("=") for pair in cut_at_commas(given) or [""]]
    if not all(key.strip() and value.strip() for key, _, value in pairs):
        raise UserError(
            f"--where needs KEY=VALUE pairs, such as dataset=cifar10,imbalance_factor=100 or counts=[50,30,10]; got '{given}'"
        )
    keys = [key.strip() for key, _, _ in pairs]
    if len(set(keys)) < len(keys):
        raise UserError(f"--where takes one value per key; got '{given}'")
    return {key: value.strip() for key, (_, _, value) in zip(keys, pairs, strict=True)}


def _seeds(given: Sequence[int] | int | str | None, option: str) -> Sequence[int] | None:
    if given is None:
        return None
    counted = isinstance(given, int) or (isinstance(given, str) and "," not in given and not given.startswith("="))
    listed = given.removeprefix("=").split(",") if isinstance(given, str) else given  # "=3" is seed 3 alone
    parts: Sequence[Any] = [listed] if isinstance(listed, int) else listed
    try:
        seeds = [int(part) for part in parts]
    except ValueError:
        seeds = []
    if not seeds:
        raise UserError(f"{option} must be a number of seeds, at least 1, or a list of seeds such as 0,3,7; got '{given}'")
    return first_seeds(seeds[0], option, "seeds such as 0,3,7") if counted else these_seeds(seeds, option)
