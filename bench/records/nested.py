"""Columns of the results frame that hold more than one value, as JSON text: the one place that writes and reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lt_core.canonical import plain
from lt_core.recipes import Recipe
from lt_core.spec import DataSpec, TrialSpec

if TYPE_CHECKING:
    import pandas as pd


_SORTED = json.JSONEncoder(sort_keys=True)  # made once: `json.dumps` makes one for each of thousands of records


def written(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """``values`` as the text of a cell."""
    return _SORTED.encode(values)


def written_spec(spec: TrialSpec) -> str:
    """``spec.to_dict()`` as the text of a cell. Data and recipe are cached, because thousands of trials share a few of them."""
    method = {"name": spec.method.name, "params": dict(spec.method.params), "label": spec.method.label}
    texts = {  # in the order of their names
        "data": _written_record(spec.data),
        "method": written(method),
        "protocol": f"{spec.protocol}",
        "recipe": _written_record(spec.recipe),
        "seed": f"{spec.seed}",
    }
    return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}"


@lru_cache(maxsize=4096)
def _written_record(record: DataSpec | Recipe) -> str:
    return written(plain(record))


def params_of(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The method's resolved parameters in each row, read-only."""
    return [_read(text) for text in frame["params"]]


def environments_of(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The environment that produced each row: device, versions, command and so on, read-only; empty if nothing is known."""
    return [_read(text or "{}") for text in frame["environment"]]


def specs_of(frame: pd.DataFrame) -> list[TrialSpec]:
    """The trial of each row."""
    return [_spec(text) for text in frame["spec"]]


@lru_cache(maxsize=4096)
def _read(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))


@lru_cache(maxsize=4096)
def _spec(text: str) -> TrialSpec:
    return TrialSpec.from_dict(json.loads(text))
