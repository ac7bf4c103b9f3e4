"""A grid given on the command line: the content of a suite file without the file. It can be saved as one."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin, get_type_hints

from bench.suites.selection import Selection
from lt_core.errors import UserError, nearest, unknown
from lt_core.fields import param
from lt_core.labels import cut_at_commas

if TYPE_CHECKING:
    from bench.suites.suite import Suite

#: Image set → its default recipe, used if ``--recipe`` is not given.
RECIPE_OF = {
    "digits": "digits", "mnist": "digits", "fashion_mnist": "digits", "cifar10": "cifar_ldam", "cifar100": "cifar_ldam",
    "imagenet_lt": "imagenet_lt_90", "places_lt": "places_lt_90", "inat2017": "inat_90", "inat2018": "inat_90",
    "ilsvrc2012": "cui_ilsvrc", "horse2zebra": "photos_pair", "celeba_male": "photos_pair", "cub": "photos_pair",
    "cub_families": "photos_pair",
}  # fmt: skip
_SOME_CLASSES_OR_SIZE = re.compile(r"_(\d+(v\d+)+|\d+px)$")
_OF_THE_FILE = ("about", "subset_seeds", "table")  # keys of a suite file that a grid may also set
_SEEDS = ("seeds", "subset_seeds")  # fields of a selection that are keys of a file
_ASKED = ("epochs", "precision")  # fields of a selection that belong to the recipe in a file


@dataclass(frozen=True)
class Grid:
    """The options that define a suite without a file. ``fields`` holds ``key=value`` or ``key=value,value`` for fields of data,
    recipe or methods; a key may also be spelled as an option, ``--imbalance-factor=10``, and errors then name that option.

    >>> grid = Grid("digits", "softmax,cb_*", name="mine", fields=["imbalance_factor=10,50", "cb_beta=0.99,0.999"])
    >>> grid.content()["data"], grid.content()["set"]
    ({'dataset': 'digits', 'imbalance_factor': [10, 50]}, {'cb_beta': [0.99, 0.999]})
    """

    dataset: str | None = param(None, "instead of SUITE: image sets of your own grid, e.g. digits or cifar10,cifar100")
    methods: str | None = param(
        None, "methods of the grid, as labels or globs, e.g. 'softmax,ldam_drw,cb_*'; '!NAME' excludes one"
    )
    recipe: str | None = param(None, "training recipe of the grid [default: the default recipe of the image set]")
    name: str | None = param(None, "name of the grid and of its run folder")
    fields: Sequence[str] | None = param(
        None,
        "one or several values of a field of the grid's data, recipe or methods; --imbalance-factor 10,50 is short for --set "
        "imbalance_factor=10,50; may be repeated",
    )
    save_suite: Path | None = param(None, "also write the grid to this YAML file, which can then be run as SUITE")

    def options(self) -> list[str]:
        """The options that were given."""
        given = [field.name for field in dataclasses.fields(self) if getattr(self, field.name)]
        names = [f"--{name.replace('_', '-')}" for name in given if name != "fields"]
        return names + [_as_option(text.partition("=")[0]) for text in self.fields or ()]

    def check_fields(self) -> None:
        """Check the names of the fields alone.

        Raises:
            UserError: a field belongs neither to data nor to recipes nor to methods.
        """
        for key, typed in self._values():
            _kind_of(key, typed)

    def content(self, selection: Selection | None = None) -> dict[str, Any]:
        """The content of this grid's suite file, with the seeds, epochs and precision of ``selection``.

        Raises:
            UserError: an option is missing, a field belongs neither to data nor to recipes nor to methods, or ``selection`` also
                has a value for it.
        """
        from bench.suites.suite import SuiteFile

        asked = selection or Selection()
        datasets, methods = _items("--dataset", self.dataset), _items("--methods", self.methods)
        kinds: dict[str, dict[str, list[Any]]] = {"data": {}, "recipe": {}, "methods": {}, "file": {}}
        for (key, typed), values in self._values().items():
            if key in (*_SEEDS, *_ASKED) and getattr(asked, key) is not None:
                raise UserError(f"{typed} and {_as_option(key)} both set {key}: give only one of the two")
            kinds[_kind_of(key, typed)][key] = values
        recipe = {"base": [self.recipe or _usual_recipe(datasets)], **kinds["recipe"]}
        recipe |= {key: [value] for key in _ASKED if (value := getattr(asked, key)) is not None}
        of_file = {key: values[0] if len(values) == 1 else values for key, values in kinds["file"].items()}
        data = _mappings({"dataset": datasets, **kinds["data"]}, _fields_that_may_be_listed())
        said: dict[str, Any] = {
            "about": f"{', '.join(methods)} on {', '.join(datasets)}",
            "recipe": _one_or_list([one["base"] if len(one) == 1 else one for one in _mappings(recipe, ())]),
            "data": _one_or_list(data),
            "methods": methods,
            "set": {key: values[0] if len(values) == 1 else values for key, values in kinds["methods"].items()} or None,
            **{key: list(seeds) for key in _SEEDS if (seeds := getattr(asked, key)) is not None},
            **of_file,
        }
        return {f.name: said[f.name] for f in dataclasses.fields(SuiteFile) if said.get(f.name) is not None}

    def _values(self) -> dict[tuple[str, str], list[Any]]:
        """``fields`` as (field, option that gave it) → values."""
        import yaml

        out: dict[tuple[str, str], list[Any]] = {}
        for text in self.fields or ():
            key, _, value = text.partition("=")
            name = key.strip().removeprefix("--").replace("-", "_")
            typed = key.strip() if key.startswith("--") else f"--set {name}"
            if name in (field for field, _ in out):
                example = f"{typed}{'=' if typed.startswith('--set ') else ' '}A,B"
                raise UserError(f"{name} is given twice: give all values in one option, such as {example}")
            try:
                out[name, typed] = [yaml.safe_load(item) for item in _items(typed, value)]
            except yaml.YAMLError:
                raise UserError(f"{typed} needs one value or several, such as 10 or 10,50; got '{value}'") from None
        return out

    def suite(self, out: Path, selection: Selection) -> tuple[Suite, Selection]:
        """The suite, which is saved if requested, and the part of ``selection`` that is not in it.

        Args:
            out: where runs are kept; a run of the suite also keeps its file there.

        Raises:
            UserError: see `content` and `parse_suite`; or the name is taken, or the file to save exists with other content.
        """
        from bench.suites.files import refuse_built_in, write_new
        from bench.suites.suite import parse_suite

        if not self.name:
            raise UserError("a grid needs a name, which is also the name of its run folder: add --name, such as --name mine")
        if Path(self.name).name != self.name or not self.name.strip("."):
            raise UserError(f"--name must be a simple name without a path, such as mine; got '{self.name}'")
        refuse_built_in(self.name, "--name")
        content = self.content(selection)
        file = (out / self.name / f"{self.name}.yaml").resolve()
        suite = dataclasses.replace(parse_suite(self.name, content, file), grid=content)
        if self.save_suite:
            if selection.only or selection.where or selection.limit:
                raise UserError("--save-suite writes the whole grid: remove --only, --where and --limit")
            write_new(content, self.save_suite, "--save-suite")
        return suite, dataclasses.replace(selection, seeds=None, subset_seeds=None, epochs=None, precision=None)


def _items(option: str, text: str | None) -> list[str]:
    """The items that ``text`` lists.

    Raises:
        UserError: there are none, or an item is empty.
    """
    if text is None:
        raise UserError(f"a grid needs {option}: see `list {option.strip('-').rstrip('s')}s`")
    items = [item.strip() for item in cut_at_commas(text) or [""]]
    if not all(items):
        raise UserError(f"{option} needs one value or several, such as A or A,B; got '{text}'")
    return items


def _as_option(key: str) -> str:
    return f"--{key.removeprefix('--').replace('_', '-')}"


def _kind_of(key: str, typed: str) -> str:
    """The part of a suite that the field ``key`` belongs to: file, data, recipe or methods.

    Raises:
        UserError: it belongs to none. The message names ``typed``, the option that the user wrote.
    """
    from lt_core.methods import METHODS, resolve
    from lt_core.recipes import Recipe
    from lt_core.spec import DataSpec

    kinds = {
        "file": set(_OF_THE_FILE),
        "data": {field.name for field in dataclasses.fields(DataSpec)} - {"dataset"},
        "recipe": {field.name for field in dataclasses.fields(Recipe)} - {"name"},
        "methods": {name for label in METHODS for name in resolve(label).params},
    }
    for kind, names in kinds.items():
        if key in names:
            return kind
    fields = set().union(*kinds.values())
    if typed.startswith("--set "):
        raise unknown("field", key, fields, "--set")
    options = {field.name for record in (Grid, Selection) for field in dataclasses.fields(record)} - {"fields"}
    hint = nearest(key, fields | options)
    others = (
        "see --help for the options, and `list recipes --json` and `list methods --json` for fields that may follow as options"
    )
    raise UserError(f"unknown option '{typed}': " + (f"did you mean '{_as_option(hint)}'?" if hint else others))


def _usual_recipe(datasets: Sequence[str]) -> str:
    """The default recipe that all of ``datasets`` share.

    Raises:
        UserError: there is none, or a set is unknown.
    """
    from lt_core.data.sets import DATASETS

    for name in datasets:
        if name not in DATASETS:
            raise DATASETS.missing(name, "--dataset")
    found = {RECIPE_OF.get(_SOME_CLASSES_OR_SIZE.sub("", name), "") for name in datasets}
    if len(found) > 1 or "" in found:
        raise UserError(f"there is no default recipe for {' and '.join(datasets)}: choose one with --recipe, see `list recipes`")
    return found.pop()


def _fields_that_may_be_listed() -> set[str]:
    """Fields of the data for which a suite file multiplies lists out; for the others, a list is a single value."""
    from lt_core.spec import DataSpec

    return {name for name, hint in get_type_hints(DataSpec).items() if get_origin(hint) is not tuple}


def _mappings(values: Mapping[str, list[Any]], listed: Collection[str]) -> list[dict[str, Any]]:
    """Every combination of ``values``, except that keys in ``listed`` keep their lists.

    >>> _mappings({"a": [1, 2], "b": [3], "c": [4, 5]}, ["a"])
    [{'a': [1, 2], 'b': 3, 'c': 4}, {'a': [1, 2], 'b': 3, 'c': 5}]
    """
    kept = {key: options if len(options) > 1 else options[0] for key, options in values.items()}
    many = {key: options for key, options in values.items() if len(options) > 1 and key not in listed}
    return [{**kept, **dict(zip(many, chosen, strict=True))} for chosen in itertools.product(*many.values())]


def _one_or_list(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items
