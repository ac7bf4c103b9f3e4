"""A tuning space: what to try, how often, and where the paper stands; a short YAML file in search_spaces/tuning.

Everything is checked when the file is read, so that no study starts that cannot end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.suite import SUITES_DIR, check_specs, data_of, read_file, recipe_of, seeds_of, suite_path
from lt_core.errors import UserError, unknown
from lt_core.fields import build, param
from lt_core.labels import parse_label
from lt_core.parts import GROUPS, parameters
from lt_core.recipes import Recipe
from lt_core.spec import DataSpec, MethodSpec, TrialSpec

SPACES_DIR = SUITES_DIR / "tuning"
SAMPLERS = ("tpe", "gp", "cmaes", "random", "grid")
PRUNERS = ("none", "median", "asha")
#: Objective → whether more is better. All but seconds are figures of the validation split.
OBJECTIVES = {
    "balanced_accuracy": True, "accuracy": True, "macro_f1": True, "g_mean": True, "many_accuracy": True,
    "medium_accuracy": True, "few_accuracy": True, "seconds": False,
}  # fmt: skip
_DIGITS = 3  # significant digits of a number that is tried, so that labels stay short

Setting = dict[str, Any]  # axis → value, and "method" → label


@dataclass(frozen=True)
class Axis:
    """One thing to tune: a parameter or part of the method, or ``recipe.<field>``."""

    name: str = param(help="what is tuned")
    low: float | None = param(None, "smallest value")
    high: float | None = param(None, "largest value")
    scale: str = param(
        "linear",
        "log: in the logarithm; complement: in the logarithm of 1 − value (for β)",
        choices=("linear", "log", "complement"),
    )
    values: Any = param(None, "list of values, in place of low and high")
    grid: Any = param(None, "values that the grid sampler tries, where there are low and high")
    when: Any = param(None, "{axis: value or list}: only then is it tuned")
    whole: bool = param(False, "whole numbers alone; set from the parameter's type")

    def __post_init__(self) -> None:
        if (self.values is None) == (self.low is None or self.high is None):
            raise UserError(f"{self.name}: give low and high, or values")
        if self.values is None and self.low >= self.high:  # type: ignore[operator]
            raise UserError(f"{self.name}: low {self.low:g} must be less than high {self.high:g}")
        if (self.scale == "log" and self.low is not None and self.low <= 0) or (
            self.scale == "complement" and self.high is not None and self.high >= 1
        ):
            raise UserError(f"{self.name}: scale {self.scale} needs {'low > 0' if self.scale == 'log' else 'high < 1'}")

    @property
    def label(self) -> str:
        """Its name in the study."""
        return f"1-{self.name}" if self.scale == "complement" else self.name

    def choices(self) -> list[Any]:
        """The values of a grid.

        Raises:
            UserError: none are given.
        """
        if self.values is None and self.grid is None:
            raise UserError(f"{self.name}: the grid sampler needs its values: give grid: [{self.low:g}, …, {self.high:g}]")
        return list(self.values if self.values is not None else self.grid)

    def holds(self, value: Any) -> bool:
        """Whether a study can try ``value``."""
        if self.values is not None:
            return value in self.values
        return isinstance(value, (int, float)) and self.low <= value <= self.high  # type: ignore[operator]

    def encode(self, value: Any) -> Any:
        """A value as the study has it."""
        return 1 - value if self.scale == "complement" else value

    def decode(self, tried: Any) -> Any:
        """What the study tries, as a value: rounded, and within the bounds all the same."""
        if self.values is not None or self.whole:
            return tried
        rounded = float(f"{tried:.{_DIGITS}g}")
        value = round(1 - rounded, 12) if self.scale == "complement" else rounded
        return min(max(value, self.low), self.high)  # type: ignore[type-var]


@dataclass(frozen=True)
class Study:
    """One search: the methods to choose among, the axes, and the setting of the paper, which is tried first."""

    name: str
    methods: tuple[str, ...]
    axes: tuple[Axis, ...]
    first: Setting

    def applicable(self, setting: Setting) -> Iterator[Axis]:
        """The axes that ``setting`` has, as it grows while they are walked; choices of parts come first."""
        for axis in self.axes:
            if axis.when and any(setting.get(key) not in _listed(value) for key, value in axis.when.items()):
                continue
            if axis.name in GROUPS or axis.name.startswith("recipe.") or axis.name in _known(setting):
                yield axis

    def grid(self) -> list[Setting]:
        """Every setting of the grid, in the order of the file.

        Raises:
            UserError: an axis without values for it.
        """
        found: list[Setting] = [{"method": method} for method in self.methods]
        for axis in self.axes:
            found = [
                {**setting, **({axis.name: value} if value is not None else {})}
                for setting in found
                for value in (axis.choices() if axis in self.applicable(setting) else [None])
            ]
        return found

    def method(self, setting: Setting) -> MethodSpec:
        """The method of a setting."""
        from lt_core.methods import resolve

        return resolve(setting["method"], {k: v for k, v in setting.items() if k != "method" and not k.startswith("recipe.")})


@dataclass(frozen=True)
class Space:
    """A validated tuning space."""

    name: str
    about: str
    recipe: Recipe
    data: tuple[DataSpec, ...]
    studies: tuple[Study, ...]
    seeds: tuple[int, ...]
    fresh_seeds: tuple[int, ...]
    trials: int
    gpu_hours: float
    sampler: str
    pruner: str
    objectives: tuple[str, ...]

    def specs(self, study: Study, setting: Setting, seeds: Sequence[int] | None = None) -> tuple[TrialSpec, ...]:
        """The trials that a setting is judged by: every subset × every seed."""
        method = study.method(setting)
        recipe = replace(self.recipe, **{k.removeprefix("recipe."): v for k, v in setting.items() if k.startswith("recipe.")})
        return tuple(TrialSpec(data, method, recipe, seed) for data in self.data for seed in seeds or self.seeds)


@dataclass(frozen=True)
class _File:
    """The keys of a tuning space."""

    about: str = param(help="the question, in a line")
    recipe: Any = param(help="as in a suite")
    data: Any = param(help="as in a suite; with a validation split, since nothing else is looked at")
    studies: Any = param(
        help="{name: {methods: label or list, space: {axis: …}, paper: {axis: value}}}; each has the same budget"
    )
    seeds: Any = param(1, "a setting's score is the mean over these")
    fresh_seeds: int = param(5, "the chosen setting and the paper's are run again on this many other seeds", low=1)
    trials: int = param(0, "settings that each study tries; 0: as many as gpu_hours allows", low=0)
    gpu_hours: float = param(0.0, "hours of trials × GPUs a trial (1 on a CPU) that each study may take; 0: no limit", low=0)
    sampler: str = param("tpe", "who proposes", choices=SAMPLERS)
    pruner: str = param("none", "whether trials without promise are stopped", choices=PRUNERS)
    objectives: Any = param("balanced_accuracy", "what is sought, on the validation split; one or a list", choices=())


def space_names() -> list[str]:
    """Names of the tuning spaces that come with the benchmark."""
    return sorted(p.stem for p in SPACES_DIR.glob("*.yaml"))


def load_space(name: str | Path, **changes: Any) -> Space:
    """The tuning space of that name, or in that file; ``changes``: keys in place of the file's, None for none.

    Raises:
        UserError: no such space, or anything in it that no study can be made of.
    """
    path = suite_path(name, kind="tuning space", folder=SPACES_DIR)
    values = read_file(path, "tuning space", _File)
    return parse_space(path.stem, {**values, **{k: v for k, v in changes.items() if v is not None}})


def parse_space(name: str, values: Mapping[str, Any]) -> Space:
    """A tuning space from the content of its file."""
    where = f"tuning space {name}"
    file = build(_File, values, where)
    seeds = seeds_of(file.seeds, "seeds", where)
    data = tuple(data_of(file.data, [0], where))
    if any(not d.validation for d in data):
        raise UserError(f"{where}: data needs 'validation: N', images a class held out: tuning looks at nothing else")
    objectives = tuple(_listed(file.objectives))
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise unknown("objective", str(objective), OBJECTIVES, where)
    if not file.trials and not file.gpu_hours and file.sampler != "grid":
        raise UserError(f"{where}: give a budget, trials or gpu_hours")
    _check_pruner(file, objectives, len(seeds) * len(data), where)
    if not isinstance(file.studies, dict) or not file.studies:
        raise UserError(f"{where}: studies must be a mapping such as {{cb: {{methods: cb_focal, space: {{…}}}}}}")
    fresh = tuple(range(max(seeds) + 1, max(seeds) + 1 + file.fresh_seeds))
    space = Space(
        name, file.about, recipe_of(file.recipe, where), data,
        tuple(_study(key, value, f"{where}, study {key}") for key, value in file.studies.items()),
        tuple(seeds), fresh, file.trials, file.gpu_hours, file.sampler, file.pruner, objectives,
    )  # fmt: skip
    for study in space.studies:
        if space.sampler == "grid":
            for axis in study.axes:
                axis.choices()
        check_specs(space.specs(study, study.first), f"{where}, study {study.name}")
    return space


def _check_pruner(file: _File, objectives: Sequence[str], trials: int, where: str) -> None:
    if file.pruner == "none":
        return
    if len(objectives) > 1 or objectives[0] not in ("balanced_accuracy", "accuracy"):
        raise UserError(f"{where}: pruner {file.pruner} goes with one objective, balanced_accuracy or accuracy")
    if trials > 1:
        raise UserError(f"{where}: pruner {file.pruner} needs settings of one trial, not {trials}: give one seed and one subset")


def _study(name: str, value: Any, where: str) -> Study:
    if not isinstance(value, dict) or not {"methods", "space"} <= set(value) <= {"methods", "space", "paper"}:
        raise UserError(f"{where}: give methods, space and, if there is one, paper: the setting that it was published with")
    methods = tuple(map(str, _listed(value["methods"])))
    try:
        axes = [build(Axis, {"name": key, **_axis(given)}) for key, given in value["space"].items()]
        axes.sort(key=lambda axis: axis.name not in GROUPS)  # what is chosen among parts decides what else there is to tune
        study = Study(name, methods, tuple(axes), {})
        study = replace(study, axes=tuple(_checked(study, axis) for axis in axes))
        return replace(study, first=_first(study, dict(value.get("paper") or {})))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _axis(given: Any) -> dict[str, Any]:
    return dict(given) if isinstance(given, dict) else {"values": _listed(given)}


def _settings(study: Study) -> Iterator[Setting]:
    """Every choice of method and parts."""
    parts = [axis for axis in study.axes if axis.name in GROUPS]
    for method, *chosen in itertools.product(study.methods, *(axis.choices() for axis in parts)):
        yield {"method": method, **dict(zip((axis.name for axis in parts), chosen, strict=True))}


def _checked(study: Study, axis: Axis) -> Axis:
    """``axis``, knowing whether it is one of whole numbers.

    Raises:
        UserError: no method of the study has it, or a value that no method takes.
    """
    from lt_core.fields import domains

    if axis.name.startswith("recipe."):
        field = axis.name.removeprefix("recipe.")
        if field not in domains(Recipe):
            raise unknown("key of a recipe", field, domains(Recipe))
        return axis
    takers = [s for s in _settings(study) if axis.name in GROUPS or axis.name in _known(s)]
    if not takers:
        raise unknown("parameter", axis.name, sorted({key for s in _settings(study) for key in (*_known(s), *GROUPS)}))
    ends = axis.values if axis.values is not None else [axis.low, axis.high, *(axis.grid or [])]
    made = [study.method({**setting, axis.name: end}).params[axis.name] for setting in takers for end in ends]
    return replace(axis, whole=axis.values is None and all(isinstance(value, int) for value in made))


def _first(study: Study, given: Setting) -> Setting:
    """The paper's setting, filled up with what the method declares.

    Raises:
        UserError: something that is no axis, or a value that the axis does not have.
    """
    axes = {axis.name: axis for axis in study.axes}
    for key in given:
        if key not in axes and key != "method":
            raise unknown("axis in paper", key, ["method", *axes])
    setting: Setting = {"method": given.get("method", study.methods[0])}
    if setting["method"] not in study.methods:
        raise unknown("method in paper", str(setting["method"]), study.methods)
    for axis in study.applicable(setting):
        value = given.get(axis.name)
        if value is None and axis.name.startswith("recipe."):
            raise UserError(f"paper: say which {axis.name} the first setting has")
        setting[axis.name] = study.method(setting).params[axis.name] if value is None else value
        if not axis.holds(setting[axis.name]):
            raise UserError(f"paper: {axis.name} = {setting[axis.name]} lies outside the space: widen it, or give another")
    return setting


def _known(setting: Setting) -> Mapping[str, Any]:
    """Parameters of the method that ``setting`` names, with the parts that it chooses."""
    from lt_core.methods import METHODS

    name, values = parse_label(setting["method"])
    return parameters(METHODS[name].choices({**values, **{k: v for k, v in setting.items() if k in GROUPS}}))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
