"""What a trial is: frozen, validated, fully resolved, and named by a hash of all of it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from lt_core.canonical import built, canonical, canonical_record, plain
from lt_core.data.spec import DataSpec
from lt_core.identity import NEUTRAL, OPTIONAL_IN_ID, PROTOCOL
from lt_core.labels import versions
from lt_core.moved import labelled
from lt_core.recipes import Recipe

__all__ = ["DataSpec", "MethodSpec", "TrialSpec", "unknown_fields"]

_LARGEST = 2**63 - 1  # the largest whole number that a data frame holds
#: Parameters that stay out of IDs at these values.
_PLAIN = NEUTRAL | OPTIONAL_IN_ID


@dataclass(frozen=True)
class MethodSpec:
    """A method with every part and parameter filled in.

    ``params`` is flat: the choice for each part (``loss``, ``weights``, …) and the parameters of the chosen parts.
    ``label`` is its short form for people and does not enter the ID. `lt_core.methods.resolve` makes such specs.
    """

    name: str
    params: Mapping[str, Any]
    label: str = field(default="", compare=False)


@dataclass(frozen=True)
class TrialSpec:
    """One trial. Its ID is a pure function of these fields.

    >>> from lt_core.methods import resolve
    >>> from lt_core.recipes import RECIPES
    >>> spec = TrialSpec(DataSpec("digits", imbalance_factor=50), resolve("ldam_drw"), RECIPES["digits"], seed=2)
    >>> spec.trial_id
    'b1c80abf7cd78ac8'
    >>> TrialSpec.from_dict(spec.to_dict()) == spec
    True
    """

    data: DataSpec
    method: MethodSpec
    recipe: Recipe
    seed: int = 0
    protocol: int = PROTOCOL

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_dict`."""
        return {
            "data": plain(self.data),
            "method": {"name": self.method.name, "params": dict(self.method.params), "label": self.method.label},
            "recipe": plain(self.recipe),
            "seed": self.seed,
            "protocol": self.protocol,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialSpec:
        """The inverse of `to_dict`.

        Raises:
            ValueError, TypeError, KeyError: no trial can have these values, or one is missing.
        """
        if len(values) > len(dataclasses.fields(cls)):
            raise ValueError(f"unknown fields: {', '.join(unknown_fields(values))}")
        for name, value in (("seed", values["seed"]), ("protocol", values["protocol"])):
            if type(value) is not int or not 0 <= value <= _LARGEST:
                raise ValueError(f"{name} is not a non-negative integer")
        method = MethodSpec(**values["method"])
        if not (isinstance(method.name, str) and isinstance(method.label, str) and isinstance(method.params, dict)):
            raise ValueError("method has a name, a label or params of the wrong type")
        return cls(
            data=built(DataSpec, values["data"]),
            method=dataclasses.replace(method, label=labelled(method.label, method.name, method.params)),
            recipe=built(Recipe, values["recipe"]),
            seed=values["seed"],
            protocol=values["protocol"],
        )

    @property
    def versions(self) -> set[str]:
        """Versions of the plug-in files that define any part of the trial."""
        values = (self.data.dataset, self.recipe.name, self.recipe.model, self.method.name, *self.method.params.values())
        return {version for value in values if isinstance(value, str) for version in versions(value)}

    @cached_property
    def trial_id(self) -> str:
        """Sixteen hexadecimal digits: SHA-256 of the canonical JSON of the resolved spec.

        Groups of parts at their neutral choice are left out, as are later fields and parameters at their defaults, so new
        choices do not change existing IDs.
        """
        # A parameter that is None stays out as well: IDs have been made like this from the start and must not change.
        params = {k: v for k, v in self.method.params.items() if _PLAIN.get(k) != v}
        texts = {  # in the order of their names, as in canonical JSON
            "data": canonical_record(self.data),
            "method": canonical({"name": self.method.name, "params": params}),
            "protocol": f"{self.protocol}",
            "recipe": canonical_record(self.recipe),
            "seed": f"{self.seed}",
        }
        text = ",".join(f'"{name}":{value}' for name, value in texts.items())
        return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()[:16]


_PARTS: dict[str, type] = {"data": DataSpec, "method": MethodSpec, "recipe": Recipe}


def unknown_fields(values: Any) -> list[str]:
    """Fields in a stored `TrialSpec` that this version does not know, such as ``data.colour``, sorted."""
    if not isinstance(values, dict):
        return []
    parts = [("", values, TrialSpec), *((f"{name}.", values.get(name), cls) for name, cls in _PARTS.items())]
    return [
        f"{place}{name}" for place, found, cls in parts if isinstance(found, dict) for name in sorted(found.keys() - _names(cls))
    ]


@cache
def _names(cls: type) -> frozenset[str]:
    return frozenset(f.name for f in dataclasses.fields(cls))
