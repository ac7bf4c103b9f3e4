"""Typed parameters that carry their own documentation and bounds.

Every object that a user can write down (a part of a method, a recipe, a data specification, a suite) is a frozen dataclass whose
fields are declared with `param`. `build` makes one from YAML, JSON or command-line text, and rejects an unknown key, a wrong
type or a value out of bounds in one sentence that says what would be valid.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from lt_core.errors import UserError, unknown

T = TypeVar("T")
_REQUIRED = object()


@dataclass(frozen=True)
class Domain:
    """What a parameter means and which values it may take."""

    help: str
    low: float | None = None  # smallest value allowed
    high: float | None = None  # largest value allowed
    above: float | None = None  # values must exceed this
    below: float | None = None  # values must stay under this
    choices: tuple[Any, ...] = ()
    tune: tuple[Any, ...] = ()  # values worth trying
    optional_in_id: bool = False  # added later: left out of an ID at its default, so that IDs of existing records stay valid

    def __str__(self) -> str:
        if self.choices:
            return " | ".join(map(str, self.choices))
        if self.low is self.high is self.above is self.below is None:
            return "any"
        left = f"[{self.low:g}" if self.low is not None else f"({self.above:g}" if self.above is not None else "(-inf"
        right = f"{self.high:g}]" if self.high is not None else f"{self.below:g})" if self.below is not None else "inf)"
        return f"{left}, {right}"

    def holds(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return True
        return (
            math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def param(default: Any = _REQUIRED, help: str = "", **bounds: Any) -> Any:
    """A dataclass field with a `Domain`. ``bounds``: low, high, above, below, choices, tune, optional_in_id.

    >>> @dataclass(frozen=True)
    ... class Dropout:
    ...     share: float = param(0.5, "share of the features that are dropped", low=0, below=1, tune=(0.2, 0.5))
    >>> build(Dropout, {"share": "0.2"})
    Dropout(share=0.2)
    >>> build(Dropout, {"share": 1})
    Traceback (most recent call last):
    lt_core.errors.UserError: share must be in [0, 1), got 1.0
    """
    for key in ("choices", "tune"):
        bounds[key] = tuple(bounds.get(key, ()))
    metadata = {"domain": Domain(help, **bounds)}
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def domains(cls: type) -> Mapping[str, Domain]:
    """The domain of each field that was declared with `param`."""
    return _domains(cast(Any, cls))


@cache
def _domains(cls: type) -> Mapping[str, Domain]:
    return {f.name: f.metadata["domain"] for f in dataclasses.fields(cls) if "domain" in f.metadata}


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _coerce(value: Any, hint: Any) -> Any:
    """``value`` as type ``hint``; raises ValueError or TypeError. Text (from a command line) is parsed as that type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None or (isinstance(value, str) and value.lower() in ("none", "null")):
            return None
        return _coerce(value, next(a for a in args if a is not type(None)))
    if origin is tuple:
        if isinstance(value, str) and value[:1] + value[-1:] == "[]":  # as `lt_core.labels.listed` writes it
            value = [item for item in value[1:-1].split(",") if item.strip()]
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise TypeError
        return tuple(_coerce(v, args[0]) for v in value)
    if hint is bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise TypeError
        return value
    if hint in (int, float):
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
        if hint is int:
            if number != int(number) or abs(number) >= 2**63:  # larger than the integers of a data frame
                raise ValueError
            return int(value) if not isinstance(value, str) else int(number)
        return number
    if hint is str:
        if not isinstance(value, str):
            raise TypeError
        return value
    return value


_NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", tuple: "a list such as [3,2,1]"}


def checked_value(cls: type, key: str, value: Any, place: str = "") -> Any:
    """``value`` as the type of field ``key`` of ``cls``, inside its domain.

    Raises:
        UserError: the value is not of that type, or is outside the domain.
    """
    hint = _hints(cls)[key]
    try:
        made = _coerce(value, hint)
    except (TypeError, ValueError, OverflowError):
        noun = _NOUNS.get(typing.get_origin(hint) or hint, f"of type {getattr(hint, '__name__', hint)}".replace(" | None", ""))
        raise UserError(f"{place}{key} must be {noun}, got {value!r}") from None
    domain = domains(cls).get(key)
    for item in made if isinstance(made, tuple) else (made,):
        if domain and item is not None and not domain.holds(item):
            raise UserError(f"{place}{key} must be in {domain}, got {item!r}")
    return made


def check(record: Any, where: str = "") -> None:
    """For ``__post_init__``: lets ``cls(…)`` and `dataclasses.replace` check and convert values (10 to 10.0) as `build` does."""
    place = f"{where}: " if where else ""
    for key in domains(type(record)):
        object.__setattr__(record, key, checked_value(type(record), key, getattr(record, key), place))


def build(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of ``cls`` with ``values``, which are checked.

    Raises:
        UserError: a key is unknown or missing, or a value has the wrong type or is outside its domain.
    """
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    place = f"{where}: " if where else ""
    checked = {}
    for key, value in values.items():
        if key not in fields:
            raise unknown("key", key, fields, where)
        checked[key] = checked_value(cls, key, value, place)
    for name, field in fields.items():
        if name not in checked and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"{place}'{name}' is missing")
    return cls(**checked)
