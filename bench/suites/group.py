"""A group: a file that names suites which one command runs in order.

Each suite of a group is planned, run and stored as if it had been named separately: the group itself has no folder and no trials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.records.folder import refuse_another
from bench.records.store import Store
from bench.suites.files import PLUGINS, SUITES_DIR, file_of, own, read_file
from bench.suites.planning import NothingMatches, Plan, plan
from bench.suites.selection import Selection
from bench.suites.suite import Suite, SuiteFile, load_suite
from lt_core.errors import UserError, some
from lt_core.fields import build, param
from lt_core.frozen.fetch import fetch_inputs
from lt_core.labels import method_of, unmatched


@dataclass(frozen=True)
class Group:
    """A validated group file."""

    name: str
    about: str
    suites: tuple[Suite, ...]


@dataclass(frozen=True)
class _File:
    """The keys of a group file."""

    about: str = param(help="description of the group, in one line")
    suites: Any = param(help="list of suites, by name or file, in the order in which they run")
    plugins: Any = param((), PLUGINS)


def load(name: str, known: dict[str, Suite] | None = None, check: bool = True) -> Suite | Group:
    """The suite or group with this name or file.

    Args:
        known: built-in suites that are already loaded; new ones are added.
        check: as in `load_suite`.

    Raises:
        UserError: there is no such suite or group, or its content is invalid.
    """
    path, known = file_of(name, SUITES_DIR), {} if known is None else known
    values = read_file(path, SuiteFile)
    if "suites" in values:
        return _group(path.stem, values, known, check)
    return _suite(path, known, check)


def _suite(path: Path, known: dict[str, Suite], check: bool) -> Suite:
    if own(path):
        return load_suite(path, check=check)
    if path.stem not in known:
        known[path.stem] = load_suite(path.stem, check=check)
    return known[path.stem]


def suites_in(item: Suite | Group) -> tuple[Suite, ...]:
    """The suites of a group, or the suite itself."""
    return item.suites if isinstance(item, Group) else (item,)


def planned(
    asked: Sequence[str | Suite], out: Path, selection: Selection, say: Callable[[str], None] = print
) -> list[tuple[Plan, Store]]:
    """The plans of all ``asked`` suites (each suite once), minus the trials in their stores under ``out``; and these stores.

    A suite of a group is left out if ``selection`` matches none of its trials.

    Raises:
        UserError: see `load` and `plan`; or two suites have the same name, a run folder was made by another file, or no trial of
            any suite matches.
    """
    loaded = [load(item) if isinstance(item, str) else item for item in asked]
    suites: dict[str, Suite] = {}
    for suite in (suite for item in loaded for suite in suites_in(item)):
        other = suites.setdefault(suite.name, suite)
        if other != suite:
            raise UserError(
                f"{other.file} and {suite.file} would share the run folder {out / suite.name}: rename one of the two files"
            )
    asked_for = {item.name for item in loaded if isinstance(item, Suite)}
    plans: list[tuple[Plan, Store]] = []
    for suite in suites.values():
        store = Store(out / suite.name)
        refuse_another(store.path, suite.file)
        try:
            plans.append((plan(suite, store, selection), store))
        except NothingMatches:
            if suite.name in asked_for:
                raise
            say(f"{suite.name}: skipped because no trial of it matches")
    if plans and selection.only:
        labels = [spec.method.label for suite in suites.values() for spec in suite.specs]
        for item in unmatched(selection.only, labels):
            raise UserError(f"--only: '{item}' matches no method; the methods are {some(map(method_of, labels))}")
    if not plans:
        names = [item if isinstance(item, str) else item.name for item in asked]
        raise UserError(
            f"no trial matches in any of the suites {', '.join(names)}: see `plan {' '.join(names)}` for the "
            "trials that they contain"
        )
    return plans


def fetch_data(plans: Iterable[Plan], data_dir: str | None, device: str = "cpu") -> None:
    """Find, download, decode or compute everything that the plans need, so that a later suite does not fail hours after the first
    one began.

    Args:
        device: the device that computes features of frozen backbones.
    """
    needed = ((spec.data, spec.recipe) for one in plans for spec in one.todo)
    fetch_inputs(needed, data_dir, device)


def _group(name: str, values: Mapping[str, Any], known: dict[str, Suite], check: bool) -> Group:
    where = f"group {name}"
    file = build(_File, values, where)
    if not isinstance(file.suites, list) or not file.suites:
        raise UserError(f"{where}: suites must be a list of one or more suites, such as [quick, mnist]")
    suites: dict[str, Suite] = {}
    for entry in map(str, file.suites):
        path = file_of(entry, SUITES_DIR, where=where)
        if "suites" in read_file(path, SuiteFile):
            itself = "itself" if path.stem == name else f"the group {path.stem}"
            raise UserError(f"{where} contains {itself}: a group may list only suites")
        if path.stem in suites:
            raise UserError(f"{where} names the suite {path.stem} twice: remove one of them")
        suites[path.stem] = _suite(path, known, check)
    return Group(name, file.about, tuple(suites.values()))
