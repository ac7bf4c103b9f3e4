"""`DataSpec` and `Recipe` as JSON values: written, read again, and in the canonical form that an ID is made of.

None of this may change, because the ID of every stored row depends on it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

from lt_core.data.spec import DataSpec
from lt_core.fields import build
from lt_core.recipes import Recipe

T = TypeVar("T")
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def plain(record: DataSpec | Recipe) -> dict[str, Any]:
    """The fields of ``record`` as JSON values; the inverse of `built`."""
    return {k: _listed(v) for k, v in vars(record).items()}


def built(cls: type[T], values: Mapping[str, Any]) -> T:
    """The `DataSpec` or `Recipe` with these JSON values. It may be shared: a run of thousands of trials has few different ones.

    Raises:
        ValueError, TypeError: no record can have these values.
    """
    made: T = _built(cast(Any, cls), tuple([(k, tuple(v) if type(v) is list else v) for k, v in values.items()]))
    return made


@lru_cache(maxsize=4096)
def _built(cls: type, items: tuple[tuple[str, Any], ...]) -> Any:
    return build(cls, dict(items))


def as_first(values: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """``values`` of a `DataSpec` or a `Recipe`, without later fields at their defaults: equal to what older versions wrote for
    the same thing.

    >>> as_first({"dataset": "digits", "label_fraction": 1.0}, DataSpec), as_first({"label_fraction": 0.5}, DataSpec)
    ({'dataset': 'digits'}, {'label_fraction': 0.5})
    """
    optional = _optional_in_id(cls)
    return {key: value for key, value in values.items() if key not in optional or _listed(value) != optional[key]}


def canonical(value: Any) -> str:
    """Canonical JSON: keys in order, no spaces, ASCII only.

    >>> canonical({"seed": 0, "data": {"counts": [20, 2]}})
    '{"data":{"counts":[20,2]},"seed":0}'

    Raises:
        ValueError: a number is not finite.
    """
    return _JSON.encode(value)


@lru_cache(maxsize=4096)
def canonical_record(record: DataSpec | Recipe) -> str:
    """The canonical JSON of those fields of ``record`` that enter an ID; a run of thousands of trials has few different ones."""
    optional = _optional_in_id(cast(Any, type(record)))
    return canonical({k: v for k, v in plain(record).items() if k not in optional or v != optional[k]})


@cache
def _optional_in_id(cls: type) -> dict[str, Any]:
    """Field → default, for the fields that stay out of IDs at their defaults."""
    return {f.name: _listed(f.default) for f in dataclasses.fields(cls) if f.metadata["domain"].optional_in_id}


def _listed(value: Any) -> Any:
    """A tuple as JSON has it."""
    return list(value) if isinstance(value, tuple) else value
