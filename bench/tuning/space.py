"""A tuning space: what to try, how often, and the paper's setting, in a short YAML file in search_spaces/tuning.

Everything is checked when the file is read, so that a study that cannot finish does not start.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.records.columns import data_column
from bench.suites.files import PLUGINS, SPACES_DIR, file_of, own, read_file
from bench.suites.seeds import MOST
from bench.suites.suite import check_specs, data_of, recipe_of, seeds_of
from bench.tuning.axes import RECIPE, SearchAxis, listed
from bench.tuning.choices import PRUNERS, SAMPLERS
from bench.tuning.study import Setting, Study, study_of
from lt_core.data.sets import DATASETS
from lt_core.data.unlabelled import semi_sizes
from lt_core.errors import UserError, unknown
from lt_core.fields import build, domains, param
from lt_core.methods import resolve
from lt_core.metrics import ON_CURVES, metric_of
from lt_core.plugins import load_all
from lt_core.recipes import Recipe
from lt_core.spec import DataSpec, TrialSpec


@dataclass(frozen=True)
class Space:
    """A validated tuning space. ``file`` is the path of a user's file."""

    name: str
    about: str
    recipe: Recipe
    data: tuple[DataSpec, ...]  # for judging settings
    fresh_data: tuple[DataSpec, ...]  # for confirming the chosen settings
    studies: tuple[Study, ...]
    seeds: tuple[int, ...]
    fresh_seeds: tuple[int, ...]
    trials: int
    gpu_hours: float
    sampler: str
    pruner: str
    objectives: tuple[str, ...]
    baseline: str = ""  # the study that the others are compared with
    file: Path | None = None

    def shared_axes(self) -> list[str]:
        """The axes of the recipe that all studies share; empty if there is only one study."""
        each = [[axis.name for axis in study.axes if axis.name.startswith(RECIPE)] for study in self.studies]
        return [name for name in each[0] if all(name in names for names in each)] if len(each) > 1 else []

    def specs(self, study: Study, setting: Setting, *, fresh: bool = False) -> tuple[TrialSpec, ...]:
        """The trials that judge a setting or, if ``fresh``, confirm it: every subset × every seed."""
        method, recipe = study.method(setting), study.trained(setting)
        data, seeds = (self.fresh_data, self.fresh_seeds) if fresh else (self.data, self.seeds)
        return tuple(TrialSpec(one, method, recipe, seed) for one in data for seed in seeds)

    def kinds(self) -> list[TrialSpec]:
        """Plain trials of the recipe, one for each data specification, which stand for what a machine must be able to run."""
        return [TrialSpec(data, resolve("softmax"), self.recipe) for data in self.data]

    def most_trials(self) -> float:
        """The number of trials of all studies if none is stopped or fails; infinite if the budget is in hours."""
        return (self.trials or math.inf) * len(self.studies) * len(self.seeds) * len(self.data)


@dataclass(frozen=True)
class _File:
    """The keys of a tuning space."""

    about: str = param(help="the question that the space answers, in one line")
    recipe: Any = param(help="as in a suite")
    data: Any = param(help="as in a suite; must have a validation split, because tuning uses nothing else")
    studies: Any = param(
        help="{name: {methods: label or list, space: {axis: …}, paper: {axis: value}}}; all studies have the same budget"
    )
    shared: Any = param((), "{axis: …}, added to the axes of every study; a study's own axis of the same name takes precedence")
    baseline: str = param("", "name of a study with which all others are compared, both tuned and with its default setting")
    seeds: Any = param(1, "seeds; the score of a setting is the mean over them")
    subset_seeds: Any = param(1, "subset seeds; the score is also the mean over these subsets")
    fresh_seeds: int = param(5, "number of new seeds on which the chosen setting and the paper's are run again", low=1, high=MOST)
    fresh_subset_seeds: int = param(
        0, "number of new subsets of the images for that; 0: the subsets of the search", low=0, high=MOST
    )
    trials: int = param(0, "number of settings per study; 0: limited only by gpu_hours", low=0)
    gpu_hours: float = param(0.0, "budget of each study in trial hours × GPUs per trial (1 on a CPU); 0: no limit", low=0)
    sampler: str = param("tpe", "algorithm that proposes settings", choices=SAMPLERS)
    pruner: str = param("none", "algorithm that stops unpromising trials", choices=PRUNERS)
    objectives: Any = param("balanced_accuracy", "metric to optimise on the validation split, or a list of metrics")
    plugins: Any = param((), PLUGINS)
    base: str = param("", "another tuning space, by name or YAML file relative to this one, whose keys this one replaces")


_MOST_BASES = 10  # that are based on each other


def space_names() -> list[str]:
    """Names of the tuning spaces that come with the benchmark."""
    return sorted(p.stem for p in SPACES_DIR.glob("*.yaml"))


def load_space(name: str | Path, *, plugins: str | Path | Sequence[str | Path] = (), **changes: Any) -> Space:
    """The tuning space with this name or file.

    Args:
        plugins: Python files that register what the space names, besides those under its key ``plugins``.
        changes: values that replace those of the file; None changes nothing.

    Raises:
        UserError: there is no such space, or its content is invalid.

    >>> space = load_space("digits_cb", trials=3)
    >>> space.trials, [study.name for study in space.studies]
    (3, ['class_balanced', 'logit_adjusted'])
    """
    load_all(plugins)
    path = file_of(name, SPACES_DIR, "tuning space")
    return parse_space(path.stem, {**_values(path), **{k: v for k, v in changes.items() if v is not None}}, own(path))


def _values(path: Path, above: int = 0) -> dict[str, Any]:
    """The keys of the file at ``path``, those of its base included. ``above``: the number of files that are based on it.

    Raises:
        UserError: a file cannot be read, or is its own base.
    """
    values = read_file(path, _File, "tuning space")
    where = f"tuning space {path.stem}"
    for key in values:  # here, because `build` sees them together and could not say whose they are
        if key not in domains(_File):
            raise unknown("key", str(key), domains(_File), where)
    base = values.get("base")
    if not base:
        return values
    if not isinstance(base, str):
        raise UserError(f"{where}: base must be the name or file of another tuning space, got {base!r}")
    file = file_of(path.parent / base if base.endswith((".yaml", ".yml")) else base, SPACES_DIR, "tuning space", where)
    if above == _MOST_BASES:
        raise UserError(f"{where}: its base, {base}, is based on this space itself, or on more than {_MOST_BASES} others")
    return {**_values(file, above + 1), **values}


def parse_space(name: str, values: Mapping[str, Any], path: Path | None = None) -> Space:
    """A tuning space from the content of its file; ``path`` is given for a user's file."""
    where = f"tuning space {name}"
    file = build(_File, values, where)
    seeds = seeds_of(file.seeds, "seeds", where)
    draws = seeds_of(file.subset_seeds, "subset_seeds", where)
    data = tuple(data_of(file.data, draws, where))
    if any(not d.validation for d in data):
        raise UserError(
            f"{where}: data needs 'validation: N', the number of validation images per class: tuning uses only "
            "the validation split"
        )
    objectives = tuple(map(str, listed(file.objectives)))
    for objective in objectives:
        _check_objective(objective, data, where)
    if len(objectives) != len({metric_of(objective).name for objective in objectives}) or not objectives:
        raise UserError(f"{where}: objectives must be one metric, or a list of different metrics; see `list metrics`")
    if not file.trials and not file.gpu_hours and file.sampler != "grid":
        raise UserError(f"{where}: give a budget: either trials or gpu_hours")
    _check_pruner(file, objectives, len(seeds) * len(data), where)
    if not isinstance(file.studies, dict) or not file.studies:
        raise UserError(f"{where}: studies must be a mapping such as {{cb: {{methods: cb_focal, space: {{…}}}}}}")
    for key in file.studies:
        if not re.fullmatch(r"[\w.-]+", str(key)):
            raise UserError(
                f"{where}: a study's name is used in file names, so '{key}' may contain only letters, digits, '_', '.' and '-'"
            )
    recipe = recipe_of(file.recipe, where)
    shared = file.shared or {}
    if not isinstance(shared, dict):
        raise UserError(f"{where}: shared must be a mapping such as {{recipe.lr: {{low: 0.01, high: 1}}}}, got {shared!r}")
    if file.baseline and file.baseline not in file.studies:
        raise unknown("study in baseline", file.baseline, list(map(str, file.studies)), where)
    space = Space(
        name, file.about, recipe, data, _fresh(data, file.fresh_subset_seeds),
        tuple(study_of(str(key), value, shared, recipe, f"{where}, study {key}") for key, value in file.studies.items()),
        tuple(seeds), _others(seeds, file.fresh_seeds), file.trials, file.gpu_hours, file.sampler, file.pruner, objectives,
        file.baseline, path,
    )  # fmt: skip
    for study in space.studies:
        if space.sampler == "grid":
            for axis in study.axes:
                axis.choices()
        settings = [study.first, *study.grid(SearchAxis.shapes)]
        check_specs([spec for setting in settings for spec in space.specs(study, setting)], f"{where}, study {study.name}")
    return space


def _others(seeds: Sequence[int], count: int) -> tuple[int, ...]:
    """``count`` seeds that are not among ``seeds``."""
    return tuple(range(max(seeds) + 1, max(seeds) + 1 + count))


def _fresh(data: Sequence[DataSpec], count: int) -> tuple[DataSpec, ...]:
    """``data`` with ``count`` subsets of the images that it does not have yet; ``data`` itself if that is 0."""
    if not count:
        return tuple(data)
    draws = _others([spec.subset_seed for spec in data], count)
    return tuple(replace(column, subset_seed=draw) for column in dict.fromkeys(map(data_column, data)) for draw in draws)


def _check_objective(name: str, data: Sequence[DataSpec], where: str) -> None:
    """Raise an error for a metric that has no value on the validation split, such as one for few-shot classes where the data have
    none, because no setting would get a score.
    """
    metric = metric_of(name, "objective", where)
    if metric.needs_calibration:
        raise UserError(
            f"{where}: objective {name} is computed from confidences, which are kept for the test set only: choose another"
        )
    for spec in data:
        info = DATASETS[spec.dataset]
        sizes, _ = semi_sizes(spec, info.train_counts)
        if info.by_class and not metric.applies(sizes):
            alike = f"all of {spec.dataset} here have {min(sizes)} training images"
            here = alike if min(sizes) == max(sizes) else f"{spec.dataset} here has classes of {min(sizes)} to {max(sizes)}"
            about = f"is about {metric.about}" if metric.about else "has no value"
            raise UserError(f"{where}: objective {name} {about}, and {here}: choose another objective or other data")


def _check_pruner(file: _File, objectives: Sequence[str], trials: int, where: str) -> None:
    if file.pruner == "none":
        return
    if len(objectives) > 1 or metric_of(objectives[0]).column not in ON_CURVES:
        raise UserError(f"{where}: pruner {file.pruner} needs a single objective, {' or '.join(ON_CURVES)}")
    if trials > 1:
        raise UserError(
            f"{where}: pruner {file.pruner} needs settings with one trial each, not {trials}: give one seed and one subset seed"
        )
