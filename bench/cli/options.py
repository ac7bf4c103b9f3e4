"""Options that several commands share, declared once, from `Grid`, `Selection` and `Execution`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from bench.report.formats import ENDINGS
from bench.running.execution import Execution
from bench.shipped import SPACES_DIR, SUITES_DIR
from bench.suites.grid import Grid
from bench.suites.selection import Selection
from lt_core.fields import domains


def either(choices: Iterable[str]) -> str:
    """``choices`` as help texts show them: ``a|b|c``."""
    return "|".join(choices)


def _names_in(folder: Path) -> Callable[[str], list[str]]:
    """A function with which the shell completes the names of the YAML files in ``folder``."""
    return lambda incomplete: sorted(path.stem for path in folder.glob(f"{incomplete}*.yaml"))


SUITES_OR_GRID = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SUITE",
        help="suites or groups, by name or YAML file (see `list suites`); omit with --dataset",
        autocompletion=_names_in(SUITES_DIR),
    ),
]
SUITES = Annotated[
    list[str],
    typer.Argument(
        metavar="SUITE", help="suites or groups, by name or YAML file; see `list suites`", autocompletion=_names_in(SUITES_DIR)
    ),
]
SPACE = Annotated[
    str,
    typer.Argument(
        metavar="SPACE", help="a tuning space by name or YAML file; see `list spaces`", autocompletion=_names_in(SPACES_DIR)
    ),
]
RUN = Annotated[str, typer.Argument(metavar="RUN", help="a run by name or folder")]
OF_RUN = Annotated[str, typer.Option("--run", metavar="RUN", help="a run by name or folder")]
BESIDE = Annotated[
    list[str] | None,
    typer.Option("--beside", metavar="RUN", help="another run to include, such as a committed one; may be repeated"),
]
SKIP_DAMAGED = Annotated[
    bool,
    typer.Option("--skip-damaged", help="skip records that cannot be read, and name them, instead of stopping"),
]
FORMAT = Annotated[str, typer.Option(metavar=either(ENDINGS))]
PLUGINS = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="your own Python file that registers methods, parts, models, data sets, recipes, metrics or loggers; repeatable",
    ),
]
RANKS = Annotated[str, typer.Option(metavar="METRIC", help="metric to rank by; see `list metrics`")]

_OF_RECORDS = (Grid, Selection, Execution)
_RECORDS: dict[str, type] = {field.name: record for record in _OF_RECORDS for field in dataclasses.fields(record)}
#: The options of `Selection`, in the order in which help shows them.
SELECTION = tuple(name for name, record in _RECORDS.items() if record is Selection)
#: The options of `Grid`, likewise.
GRID = tuple(name for name, record in _RECORDS.items() if record is Grid)
_METAVARS = {
    "only": "GLOB,…", "where": "KEY=VALUE,…", "seeds": "N|LIST", "subset_seeds": "N|LIST", "trial_timeout": "SECONDS",
    "checkpoint_every": "SECONDS", "gpus_per_trial": "N|auto", "data": "DIR", "out": "DIR", "dataset": "NAME,…",
    "methods": "LABEL,…", "recipe": "NAME", "fields": "KEY=VALUE,…", "logger": "NAME", "save_suite": "FILE",
}  # fmt: skip
_FLAGS = {"verbose": ("--verbose", "-v"), "fields": ("--set",)}
#: The command-line types of fields that their record parses from text.
_HINTS: dict[str, Any] = {
    **dict.fromkeys(("where", "seeds", "subset_seeds", "gpus_per_trial"), str | None),
    **dict.fromkeys(("fields", "logger"), list[str] | None),
}


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options ``names``. Help shows them in that order, after the command's other parameters.

    A parameter annotated with `Grid`, `Selection` or `Execution` is built from the options that are its fields; any other
    parameter named like an option is that option. A parameter of the command itself may be listed in ``names`` to place it in
    help.
    """

    def declare(command: Callable[..., None]) -> Callable[..., None]:
        own = dict(inspect.signature(command, eval_str=True).parameters)
        records = {name: own.pop(name).annotation for name in list(own) if own[name].annotation in _OF_RECORDS}
        shown = {name: parameter for name, parameter in own.items() if name not in names}
        shown |= {name: _option(name) if name in _RECORDS else own[name] for name in names}

        @wraps(command)
        def called(**values: Any) -> None:
            made = {
                name: record(**{f.name: values.pop(f.name) for f in dataclasses.fields(record) if f.name in values})
                for name, record in records.items()
            }
            command(**values, **made)

        return _declared(called, shown.values())

    return declare


def with_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the option ``--plugin``, whose files are loaded before it begins."""

    @wraps(command)
    def called(plugin: list[Path] | None, **values: Any) -> None:
        if plugin:
            from lt_core import plugins

            plugins.load_all(plugin)
        command(**values)

    own = inspect.signature(command, eval_str=True).parameters.values()
    option = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=PLUGINS)
    return _declared(called, [*own, option])


def _declared(command: Callable[..., None], parameters: Iterable[inspect.Parameter]) -> Callable[..., None]:
    """``command`` with a signature of these ``parameters``, which Typer reads."""
    shown = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return command


def _option(name: str) -> inspect.Parameter:
    """The option of a field, with the help text, bounds and default of that field."""
    record = _RECORDS[name]
    domain = domains(record)[name]
    hint: Any = _HINTS.get(name) or get_type_hints(record)[name]
    flags = _FLAGS.get(name, (f"--{name.replace('_', '-')}",) if hint is bool else ())  # otherwise Typer adds a --no-… option
    metavar = _METAVARS.get(name) or either(domain.choices) or None
    option = typer.Option(*flags, help=domain.help, min=domain.low, metavar=metavar)
    default = next(field.default for field in dataclasses.fields(record) if field.name == name)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, option])
