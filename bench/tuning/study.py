"""What a study tunes: its methods and axes, and how a setting becomes a method and a recipe."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.suites.suite import with_versions
from bench.tuning.axes import RECIPE, SearchAxis, listed
from lt_core.errors import UserError, unknown
from lt_core.fields import build, domains
from lt_core.labels import parse_label, short, without_version
from lt_core.parts import GROUPS, parameters
from lt_core.recipes import Recipe
from lt_core.spec import MethodSpec

Setting = dict[str, Any]  # axis → value, and "method" → label


@dataclass(frozen=True)
class Study:
    """One search: the methods to choose from, the axes, and the first setting to try (the paper's or the declared one)."""

    name: str
    methods: tuple[str, ...]
    axes: tuple[SearchAxis, ...]
    first: Setting
    recipe: Recipe
    published: bool = False  # whether the first setting is a paper's

    def applicable(self, setting: Setting) -> Iterator[SearchAxis]:
        """The axes that apply to ``setting``. Axes on which others depend come first, so that the caller can set them."""
        for axis in self.axes:
            if axis.when and not all(
                _value(setting, key) in map(without_version, listed(value)) for key, value in axis.when.items()
            ):
                continue
            if axis.name in GROUPS or axis.name.startswith(RECIPE) or axis.name in _known(setting):
                yield axis

    def grid(self, values: Callable[[SearchAxis], list[Any]] = SearchAxis.choices) -> list[Setting]:
        """Every setting of the grid, in the order of the file; ``values`` gives an axis's values in the grid.

        Raises:
            UserError: an axis has no values for a grid.
        """
        found: list[Setting] = [{"method": method} for method in self.methods]
        for axis in self.axes:
            found = [
                {**setting, **more}
                for setting in found
                for more in ([{axis.name: v} for v in values(axis)] if axis in self.applicable(setting) else [{}])
            ]
        return found

    def method(self, setting: Setting) -> MethodSpec:
        """The method of a setting.

        Raises:
            UserError: the method cannot have one of the values.
        """
        from lt_core.methods import resolve

        return resolve(setting["method"], {k: v for k, v in setting.items() if k != "method" and not k.startswith(RECIPE)})

    def trained(self, setting: Setting) -> Recipe:
        """The recipe of a setting.

        Raises:
            UserError: the recipe cannot have one of the values.
        """
        made = replace(self.recipe, **{k.removeprefix(RECIPE): v for k, v in setting.items() if k.startswith(RECIPE)})
        return with_versions(made)

    def checked(self, setting: Setting, name: str) -> Any:
        """The value of axis ``name`` in ``setting``, in the type of the field that it sets, so that text may become a number."""
        if name.startswith(RECIPE):
            return getattr(self.trained(setting), name.removeprefix(RECIPE))
        return self.method(setting).params[name]


def study_of(name: str, value: Any, shared: Mapping[str, Any], recipe: Recipe, where: str) -> Study:
    """The study that a space's file describes, with every value checked; ``shared`` holds axes that all studies of the file have.

    Raises:
        UserError: something in it is invalid.
    """
    needed = {"methods"} if shared else {"methods", "space"}
    if not isinstance(value, dict) or not needed <= set(value) <= {"methods", "space", "paper"}:
        raise UserError(f"{where}: give methods, space and optionally paper, the setting that was published")
    methods, space, paper = tuple(map(str, listed(value["methods"]))), value.get("space", {}), value.get("paper") or {}
    if not methods:
        raise UserError(f"{where}: methods is empty: give a label or a list of labels")
    for key, given in (("space", space), ("paper", paper)):
        if not isinstance(given, dict):
            raise UserError(f"{where}: {key} must be a mapping such as {{gamma: …}}, got {given!r}")
    if len(methods) == 1 and not space and not shared:
        raise UserError(f"{where}: space is empty: give at least one axis, such as {{gamma: {{low: 0, high: 2}}}}")
    try:
        axes = [build(SearchAxis, {"name": key, **_axis(given)}) for key, given in {**shared, **space}.items()]
        axes.sort(key=lambda axis: axis.name not in GROUPS)  # the chosen parts decide which parameters there are
        study = Study(name, methods, (), {}, recipe)
        for axis in _ordered(axes, methods):
            study = replace(study, axes=(*study.axes, _checked(study, axis)))
        return replace(study, first=_first(study, paper), published=bool(paper))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _axis(given: Any) -> dict[str, Any]:
    return dict(given) if isinstance(given, dict) else {"values": listed(given)}


def _ordered(axes: Sequence[SearchAxis], methods: Sequence[str]) -> list[SearchAxis]:
    """``axes``, each after those that its ``when`` refers to.

    Raises:
        UserError: a ``when`` refers to something unknown, or can never be true.
    """
    names, left, placed = {axis.name: axis for axis in axes}, list(axes), list[SearchAxis]()
    for axis in axes:
        for key, value in (axis.when or {}).items():
            if key not in ("method", *GROUPS, *names):
                raise unknown("axis in when", str(key), ["method", *names, *GROUPS], axis.name)
            known: Sequence[Any] = methods if key == "method" else list(GROUPS.get(key, ()))
            if key in names:
                known = names[key].values or ()  # an axis of numbers may have any value
            for wanted in listed(value) if known else []:
                if wanted not in known:
                    raise unknown(f"{key} in when", str(wanted), list(map(str, known)), axis.name)
    while left:
        there = {axis.name for axis in placed}
        ready = [axis for axis in left if not set(axis.when or {}) & (set(names) - there)]
        if not ready:
            raise UserError(
                f"{left[0].name}: its `when` conditions depend on each other in a circle: {', '.join(axis.name for axis in left)}"
            )
        placed.append(ready[0])
        left.remove(ready[0])
    return placed


def _settings(study: Study, axis: SearchAxis) -> Iterator[Setting]:
    """Every choice of method and parts to which ``axis`` applies."""
    parts = [other for other in study.axes if other.name in GROUPS]
    for method, *chosen in itertools.product(study.methods, *(other.choices() for other in parts)):
        setting = {"method": method, **dict(zip((other.name for other in parts), chosen, strict=True))}
        if axis.name.startswith(RECIPE) or axis.name in GROUPS or axis.name in _known(setting):
            yield setting


def _checked(study: Study, axis: SearchAxis) -> SearchAxis:
    """``axis`` with its values in the type of the field that they set, marked if they are whole numbers.

    Raises:
        UserError: no method of the study has the axis, or a value is invalid.
    """
    if axis.name.startswith(RECIPE):
        field = axis.name.removeprefix(RECIPE)
        fields = [key for key in domains(Recipe) if key not in ("name", "milestones", "drops")]
        if field not in fields:
            raise unknown("key of a recipe that can be tuned", field, fields)
    takers = list(_settings(study, axis))
    if not takers:
        every = [{"method": method} for method in study.methods]
        raise unknown("parameter", axis.name, sorted({key for s in every for key in (*_known(s), *GROUPS)}))

    def made(values: Sequence[Any]) -> list[Any]:
        every = [[study.checked({**setting, axis.name: value}, axis.name) for value in values] for setting in takers]
        return list(dict.fromkeys(every[0]))

    if axis.values is not None:
        return replace(axis, values=made(axis.values))
    low, high = made([axis.low, axis.high])
    whole = all(isinstance(end, int) for end in (low, high))
    axis = replace(axis, low=low, high=high, whole=whole)
    for value in axis.grid or ():
        if not axis.holds(made([value])[0]):
            raise UserError(
                f"{axis.name}: {value} of its grid is outside {short(low)} to {short(high)}: widen the range, or remove the value"
            )
    return replace(axis, grid=None if axis.grid is None else made(axis.grid))


def _first(study: Study, given: Mapping[str, Any]) -> Setting:
    """The paper's setting, completed with the declared values of the method and the recipe.

    Raises:
        UserError: the setting names something that is not an axis, or a value outside its axis.
    """
    axes = {axis.name: axis for axis in study.axes}
    for key in given:
        if key not in axes and key != "method":
            raise unknown("axis in paper", str(key), ["method", *axes])
    setting: Setting = {"method": given.get("method", study.methods[0])}
    if setting["method"] not in study.methods:
        raise unknown("method in paper", str(setting["method"]), study.methods)
    for axis in study.applicable(setting):
        wanted = {axis.name: given[axis.name]} if axis.name in given else {}
        setting[axis.name] = study.checked({**setting, **wanted}, axis.name)
        if not axis.holds(setting[axis.name]):
            raise UserError(
                f"paper: {axis.name} = {short(setting[axis.name])} is outside the space: widen its range, or give another value"
            )
    return setting


def _choices(setting: Setting) -> Mapping[str, str]:
    """Group → the part that ``setting`` chooses."""
    from lt_core.methods import METHODS

    name, values = parse_label(setting["method"])
    return METHODS[name].choices({**values, **{k: v for k, v in setting.items() if k in GROUPS}})


def _value(setting: Setting, key: str) -> Any:
    """The value of an axis, the method, or a part of the method in ``setting``, as people write it."""
    return without_version(setting[key] if key in setting else _choices(setting).get(key))


def _known(setting: Setting) -> Mapping[str, Any]:
    """The parameters of the method in ``setting``, with the parts that it chooses."""
    return parameters(_choices(setting))
