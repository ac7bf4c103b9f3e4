"""A method is a declaration: a name, a choice for each part, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lt_core.errors import UserError, unknown
from lt_core.fields import Domain
from lt_core.identity import NEUTRAL
from lt_core.labels import format_label, parse_label
from lt_core.moved import as_stored
from lt_core.parts import GROUPS, build_parts, parameters
from lt_core.registry import Registry
from lt_core.spec import MethodSpec


@dataclass(frozen=True)
class Neutral:
    """The hyperparameters at which a method must equal a simpler one bit for bit, or the reason why there are none.

    >>> Neutral({"gamma": 0.0})  # softmax cross-entropy at γ = 0
    Neutral(at={'gamma': 0.0}, equals='softmax', reason='')
    >>> at_one = Neutral({"q": 1.0}, equals="sigmoid", reason="a sum over sigmoids")  # another method at q = 1
    >>> nowhere = Neutral({}, equals="", reason="a margin remains at any setting")  # no simpler method at any setting
    """

    at: Mapping[str, Any]
    equals: str = "softmax"  # empty: the method equals no simpler one at any setting
    reason: str = ""  # why the method cannot equal softmax cross-entropy; empty if it can


@dataclass(frozen=True)
class Method:
    """A method, before its hyperparameters are set."""

    name: str
    family: str
    about: str
    cite: str
    defaults: Mapping[str, Any]  # choices of parts, and parameters that differ from the parts' own defaults
    neutral: Neutral
    space: tuple[str, ...]  # parameters worth tuning; the values to try are in the parts' domains

    def choices(self, overrides: Mapping[str, Any] | None = None) -> dict[str, str]:
        """The choice for each group."""
        wanted = {**self.defaults, **(overrides or {})}
        return {group: str(wanted.get(group, choice)) for group, choice in NEUTRAL.items()}

    def domains(self) -> dict[str, Domain]:
        """Parameters of the method with its declared parts (other parts have other parameters)."""
        return parameters(self.choices())

    def resolve(self, overrides: Mapping[str, Any] | None = None) -> MethodSpec:
        """The method with ``overrides`` of parts or parameters, and all other parameters filled in.

        Raises:
            UserError: the chosen parts do not have a parameter, or its value is outside its domain.
        """
        overrides = dict(overrides or {})
        choices = self.choices(overrides)
        for group, choice in choices.items():
            if choice not in GROUPS[group]:
                raise GROUPS[group].missing(choice, self.name)
        known = parameters(choices)
        for key in overrides:
            if key not in known and key not in GROUPS:
                raise unknown("parameter", key, [*known, *GROUPS], self.name)
        asked = {k: v for k, v in {**self.defaults, **overrides}.items() if k in known}
        parts = build_parts({**choices, **asked}, self.name)
        params: dict[str, Any] = {group: GROUPS[group].versioned(choice) for group, choice in choices.items()}
        for part in parts.values():
            params.update({k: v for k, v in vars(part).items() if k in known})
        if "stage_one" in params:
            params["stage_one"] = versioned(params["stage_one"])
        changed = {k: params[k] for k in params if k in overrides and params[k] != self._declared(k, params)}
        if "stage_one" in params:
            params["stage_one"] = as_stored(params["stage_one"])
        name = METHODS.versioned(self.name)
        return MethodSpec(name, params, format_label(name, changed))

    def _declared(self, key: str, params: Mapping[str, Any]) -> Any:
        if key in GROUPS:
            return GROUPS[key].versioned(self.choices()[key])
        if key in self.defaults:
            return versioned(self.defaults[key]) if key == "stage_one" else self.defaults[key]
        owner = next(g for g in GROUPS if key in parameters({g: params[g]}))
        return getattr(GROUPS[owner][params[owner]], key, None)


METHODS: Registry[Method] = Registry("method")


def method(
    name: str, family: str, about: str, cite: str, *, neutral: Neutral, space: tuple[str, ...] = (), **defaults: Any
) -> Method:
    """Declare and register a method; a wrong declaration fails at import.

    >>> reason = "a sum over sigmoids; at γ = 0 and equal weights it is sigmoid cross-entropy"
    >>> made = method(
    ...     "inverse_focal", "reweighting", "focal loss, weighted by class frequency", "no paper: an example",
    ...     loss="focal", weights="inverse", space=("gamma",),
    ...     neutral=Neutral({"gamma": 0.0, "power": 0.0}, equals="sigmoid", reason=reason),
    ... )
    >>> resolve("inverse_focal[gamma=2]").params["weights"]
    'inverse'
    """
    made = Method(name, family, about, cite, defaults, neutral, space)
    made.resolve()
    if not neutral.reason:
        made.resolve(neutral.at)
    for key in defaults:
        if key not in GROUPS and key not in made.domains():
            raise unknown("parameter", key, [*made.domains(), *GROUPS], name)
    missing = set(space) - set(made.domains())
    if missing:
        raise UserError(f"{name}: space names the parameter {missing.pop()}, which none of its parts has")
    return METHODS.add(name, made)


def versioned(label: str) -> str:
    """A method's label with the version of a plug-in file after each name that the file defines, also in a first stage."""
    name, values = parse_label(label)
    for key, value in values.items():
        values[key] = versioned(value) if key == "stage_one" else GROUPS[key].versioned(value) if key in GROUPS else value
    made = format_label(METHODS.versioned(name), values)
    return made if "@" in made else label


def resolve(label: str, overrides: Mapping[str, Any] | None = None) -> MethodSpec:
    """The method that ``name[key=value,…]`` describes, with further ``overrides``.

    >>> resolve("ldam[weights=inverse]", {"power": 0.5}).label
    'ldam[weights=inverse,power=0.5]'
    >>> resolve("focal[gama=2]")
    Traceback (most recent call last):
    lt_core.errors.UserError: focal: unknown parameter 'gama': did you mean 'gamma'?
    """
    name, values = parse_label(label)
    return METHODS[name].resolve({**values, **(overrides or {})})
