"""A suite: a question in a short YAML file, which is expanded into trials.

Any value under ``data`` or next to a method may be a list; the lists are multiplied out. Everything is checked when the file is
read, so that a suite that cannot finish does not start.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.suites.files import PLUGINS, SUITES_DIR, file_of, own, read_file
from bench.suites.seeds import first_seeds, these_seeds
from lt_core.data.sets import DATASETS
from lt_core.data.unlabelled import semi_sizes
from lt_core.errors import UserError, unknown
from lt_core.fields import build, param
from lt_core.labels import parse_label
from lt_core.plugins import load_all
from lt_core.recipes import RECIPES, Recipe
from lt_core.registry import Registry
from lt_core.spec import DataSpec, MethodSpec, TrialSpec


@dataclass(frozen=True)
class Suite:
    """A validated suite file. `specs` are its trials, in order and without repetition; ``file`` is the path if it is a user's
    file; ``grid`` is the content to write to that file, if the suite was given on the command line.
    """

    name: str
    about: str
    table: str  # the table that shows it
    specs: tuple[TrialSpec, ...] = field(repr=False)
    file: Path | None = None
    grid: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SuiteFile:
    """The keys of a suite file."""

    about: str = param(help="the question that the suite answers, in one line")
    recipe: Any = param(help="name of a recipe, or {base: name, key: value, …} to modify one; or a list of these")
    data: Any = param(help="mapping with keys of DataSpec, or a list of such mappings")
    methods: Any = param(
        help="list whose items are labels, globs, or {label: {parameter: value or list}}; '!…' excludes a method or a family"
    )
    set: Any = param(None, "{parameter: value or list}, applied to each method that has the parameter and does not set it itself")
    seeds: Any = param(3, "number of seeds, or a list of seeds")
    subset_seeds: Any = param(1, "number of subsets drawn from the images, or a list of their seeds")
    table: str = param("catalogue", "table in which the results are shown")
    plugins: Any = param((), PLUGINS)


def suite_names() -> list[str]:
    """Names of the suites and groups that come with the benchmark."""
    return sorted(p.stem for p in SUITES_DIR.glob("*.yaml"))


def load_suite(name: str | Path, *, plugins: str | Path | Sequence[str | Path] = (), check: bool = True) -> Suite:
    """The suite with this name or file.

    Args:
        plugins: Python files that register what the suite names, besides those under its key ``plugins``.
        check: also check that every network can be built and every subset drawn; otherwise, trials are only enumerated.

    Raises:
        UserError: there is no such suite, or its file is not YAML or does not describe valid trials.

    >>> suite = load_suite("cifar10_drw")
    >>> suite.table, suite.specs[0].method.label, suite.specs[0].data.imbalance_factor
    ('mm', 'softmax', 100.0)
    """
    load_all(plugins)
    path = file_of(name, SUITES_DIR)
    values = read_file(path, SuiteFile)
    if "suites" in values:
        raise UserError(f"{path.stem} is a group of suites: name one of its suites instead")
    return parse_suite(path.stem, values, own(path), check)


def parse_suite(name: str, values: Mapping[str, Any], path: Path | None = None, check: bool = True) -> Suite:
    """A suite from the content of its file; ``path`` is given for a user's file, and ``check`` is as in `load_suite`."""
    file = build(SuiteFile, values, f"suite {name}")
    where = f"suite {name}"
    recipes = [recipe_of(one, where) for one in (file.recipe if isinstance(file.recipe, list) else [file.recipe])]
    if not isinstance(file.set, dict | None):
        raise UserError(f"{where}: set must be a mapping such as {{cb_beta: 0.999}}; got {file.set!r}")
    methods = list(_methods(file.methods, file.set or {}, where))
    if not methods:
        raise UserError(f"{where}: methods is empty: name at least one method, see `list methods`")
    data = list(data_of(file.data, seeds_of(file.subset_seeds, "subset_seeds", where), where))
    seeds = seeds_of(file.seeds, "seeds", where)
    specs = [TrialSpec(d, m, recipe, s) for recipe in recipes for d in data for m in methods for s in seeds]
    unique = {spec.trial_id: spec for spec in specs}
    if check:
        check_specs(list(unique.values()), where)
        _check_table(file.table, list(unique.values()), where)
    return Suite(name, file.about, file.table, tuple(unique.values()), path)


def check_specs(specs: Sequence[TrialSpec], where: str) -> None:
    """Raise an error for a model that cannot be built or a subset that cannot be drawn, before anything starts."""
    from lt_core.models import check_model, seen_shape
    from lt_core.models.heads import Head
    from lt_core.parts import build_parts
    from lt_core.stages import check_trial, stage_one
    from lt_core.steps import Step

    # One spec for each combination that the checks below depend on.
    kinds = {
        (s.recipe.model, s.recipe.crop, s.data.dataset, s.data.validation > 0, json.dumps(dict(s.method.params))): s
        for s in specs
    }
    built: list[tuple[Any, ...]] = []
    try:
        for data in dict.fromkeys(spec.data for spec in specs):
            semi_sizes(data, DATASETS[data.dataset].train_counts)
        for spec in kinds.values():
            check_trial(spec)
            info = DATASETS[spec.data.dataset]
            for one in filter(None, (spec, stage_one(spec))):
                parts = build_parts(one.method.params)
                head, step = typing.cast(Head, parts["head"]), typing.cast(Step, parts["step"])
                model = one.recipe.model
                shape = seen_shape(model, one.recipe.network_shape(info.image_shape))
                network = model, shape, info.classes, head, step
                if network not in built:  # most methods share one, and a large network takes a tenth of a second
                    check_model(model, shape, info.classes, head, step.backbone)
                    built.append(network)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _check_table(name: str, specs: Sequence[TrialSpec], where: str) -> None:
    """Raise an error for a table that does not exist or shows none of the trials; otherwise, this would only be noticed after
    training.
    """
    from bench.report.tables import TABLES

    if name not in TABLES:
        raise unknown("table", name, TABLES, where)
    if not any(map(TABLES[name].shows, specs)):
        raise UserError(
            f"{where}: table {name} shows {TABLES[name].rows}, but the suite has none: choose another table, see `list tables`"
        )


def recipe_of(value: Any, where: str) -> Recipe:
    """The recipe that a file names, with its changes."""
    if not isinstance(value, (str, dict)):
        raise UserError(f"{where}: recipe must be a name, or a mapping such as {{base: digits, epochs: 20}}; got {value!r}")
    changes = {"base": value} if isinstance(value, str) else dict(value)
    base = _known(RECIPES, str(changes.pop("base", "")), where)
    if "name" in changes:
        raise UserError(f"{where}, recipe: a modified recipe keeps the name of its base, {base.name}: remove 'name'")
    return with_versions(build(Recipe, {**dataclasses.asdict(base), **changes}, f"{where}, recipe"))


def with_versions(recipe: Recipe) -> Recipe:
    """``recipe`` with the full name of its model, which has the version of its plug-in file and all options."""
    from lt_core.models import resolved_model

    model = resolved_model(recipe.model)
    return recipe if model == recipe.model else dataclasses.replace(recipe, model=model)


def _known(registry: Registry[Any], name: str, where: str) -> Any:
    if name not in registry:
        raise registry.missing(name, where)
    return registry[name]


def data_of(value: Any, subset_seeds: Sequence[int], where: str) -> Iterator[DataSpec]:
    """The subsets that a file defines, with lists multiplied out."""
    lists = {f.name for f in dataclasses.fields(DataSpec) if f.name == "counts"}
    for entry in value if isinstance(value, list) else [value]:
        if not isinstance(entry, dict):
            raise UserError(
                f"{where}: an entry of data must be a mapping such as {{dataset: digits, imbalance_factor: [10, 50]}}"
            )
        for cell in _grid(entry, lists, f"{where}, data"):
            name = str(cell.get("dataset", ""))
            _known(DATASETS, name, where)
            for seed in subset_seeds:
                whole = {"subset_seed": seed, **cell, "dataset": DATASETS.versioned(name)}
                yield build(DataSpec, whole, f"{where}, data")


def _methods(value: Any, common: Mapping[str, Any], where: str) -> Iterator[MethodSpec]:
    from lt_core.methods import METHODS, resolve

    used: set[str] = set()
    entries = value if isinstance(value, list) else [value]
    dropped = [entry[1:] for entry in entries if isinstance(entry, str) and entry.startswith("!")]
    for name in dropped:
        if not any(name in (m.name, m.family) for m in map(METHODS.__getitem__, METHODS)):
            raise UserError(
                f"{where}, methods: '!{name}' excludes nothing, because no method or family has that name: see `list methods`"
            )
    for entry in [e for e in entries if not (isinstance(e, str) and e.startswith("!"))]:
        for label, grid in entry.items() if isinstance(entry, dict) else [(entry, {})]:
            # A glob stands for all methods that it matches.
            globbed = bool(set("*?") & set(str(label)))
            labels = METHODS.names(str(label)) if globbed else [str(label)]
            if not labels:
                raise UserError(f"{where}, methods: '{label}' matches no method: see `list methods`")
            labels = [n for n in labels if not (globbed and {n, METHODS[n].family} & set(dropped))]
            for name, cell in itertools.product(labels, list(_grid(grid or {}, set(), f"{where}, methods, {label}"))):
                try:
                    plain = resolve(name, cell)
                    own = {*cell, *parse_label(name)[1]}
                    given = {k: v for k, v in common.items() if k in plain.params and k not in own}
                    used |= set(given)
                    for chosen in _grid(given, set(), f"{where}, set"):
                        yield resolve(name, {**cell, **chosen})
                except UserError as error:
                    raise UserError(f"{where}, methods: {error}") from None
    for key in common:
        if key not in used:
            raise UserError(
                f"{where}: set gives {key}, but none of the suite's methods has that parameter: remove it, or see `list methods`"
            )


def _grid(values: Mapping[str, Any], lists: set[str], where: str) -> Iterator[dict[str, Any]]:
    """All combinations of the listed values. For keys in ``lists``, a list is a single value."""
    options = [v if isinstance(v, list) and k not in lists else [v] for k, v in values.items()]
    for key, values_of_key in zip(values, options, strict=True):
        if not values_of_key:
            raise UserError(f"{where}: {key} is an empty list: give it a value")
    for combination in itertools.product(*options):
        yield dict(zip(values, combination, strict=True))


def seeds_of(value: Any, key: str, where: str) -> tuple[int, ...]:
    """The seeds that a number or a list stands for."""
    if isinstance(value, list):
        return these_seeds(value, f"{where}: {key}")
    if not isinstance(value, int) or isinstance(value, bool):
        raise UserError(f"{where}: {key} must be a number of seeds, or a list such as [0, 1, 2]; got {value!r}")
    return first_seeds(value, f"{where}: {key}", "a list such as [0, 1, 2]")
