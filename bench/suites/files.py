"""The YAML files of suites, groups and tuning spaces."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.records.finding import refuse_long
from bench.shipped import SPACES_DIR, SUITES_DIR
from lt_core import plugins
from lt_core.errors import UserError, unknown
from lt_core.whole_files import replacing

#: The meaning of the key ``plugins`` in any of these files.
PLUGINS = "list of plug-in files, relative to this file, that define methods, parts, models, data sets, recipes or metrics"


def file_of(name: str | Path, folder: Path, kind: str = "suite", where: str = "") -> Path:
    """The file in ``folder`` of the suite, group or tuning space with this name; a name that ends in .yaml is the path of a file.

    Raises:
        UserError: ``folder`` has no such file, or the path's file has the name of a built-in one but different content.
    """
    refuse_long(name, f"{kind} file")
    path = Path(name)
    if not path.stem.strip("."):
        raise UserError(
            f"{kind} file {path} has a name that cannot be used for a run folder: rename it, for example to mine.yaml"
        )
    if path.suffix not in (".yaml", ".yml"):
        path = folder / f"{name}.yaml"
        if not path.is_file():
            raise unknown(kind, str(name), sorted(p.stem for p in folder.glob("*.yaml")), where)
    elif path.is_file() and (taken := _built_in(path)) and not filecmp.cmp(path, taken, shallow=False):
        place = f"{where}: " if where else ""
        raise UserError(
            f"{place}{kind} file {path} has the same name as {taken.relative_to(SUITES_DIR.parent)}, which comes with the "
            f"benchmark, and would share its run folder: rename it, for example to my_{path.name}"
        )
    return path


def refuse_built_in(name: str, where: str) -> None:
    """Raise an error if a built-in suite or tuning space is called ``name``, because the two would share a run folder."""
    refuse_long(name, where)
    if taken := _built_in(Path(name)):
        raise UserError(
            f"{where}: {taken.relative_to(SUITES_DIR.parent)}, which comes with the benchmark, is already called {name}: "
            f"choose another name, such as my_{name}"
        )


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write a suite file with this ``content``."""
    text = yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_new(content: Mapping[str, Any], path: Path, where: str) -> None:
    """As `write`, but to a file of the user's choice.

    Raises:
        UserError: ``path`` is not the name of a YAML file, is the name of a built-in suite, exists with different content, or
            cannot be written.
    """
    if path.suffix not in (".yaml", ".yml") or not path.stem.strip("."):
        raise UserError(f"{where} must name a YAML file, such as mine.yaml; got '{path}'")
    refuse_built_in(path.stem, where)
    if path.exists() and (not path.is_file() or read_file(path, dict) != content):
        raise UserError(f"{where}: {path} already exists with different content: remove it, or choose another name")
    try:
        write(content, path)
    except OSError as error:
        raise UserError(f"{where}: {path} cannot be written ({error.strerror}): choose another place") from None


def own(path: Path) -> Path | None:
    """``path`` if it is a user's file; None for one that comes with the benchmark."""
    return None if _built_in(path) else path.resolve()


def _built_in(path: Path) -> Path | None:
    """The file of that name that comes with the benchmark. Suites and tuning spaces share run folders, and therefore names."""
    return next((file for folder in (SUITES_DIR, SPACES_DIR) if (file := folder / f"{path.stem}.yaml").is_file()), None)


class _Loader(yaml.SafeLoader):
    """Rejects a key that occurs twice in a mapping, where YAML would silently take the last value."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' occurs twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_file(path: Path, keys: type, kind: str = "suite") -> dict[str, Any]:
    """The mapping in the file of a suite, a group or a tuning space; ``keys`` is the dataclass that will be built from it.

    Raises:
        UserError: the file cannot be read, or does not contain a mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise UserError(f"{kind} file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{kind} file {path} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{kind} file {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{kind} file {path} must be a mapping with the keys {', '.join(f.name for f in dataclasses.fields(keys))}"
        )
    _load_plugins(values.get("plugins") or [], path, kind)
    return values


def _load_plugins(files: Any, path: Path, kind: str) -> None:
    """Load the plug-in ``files`` that the file at ``path`` names, relative to it, so that its other keys can use them."""
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise UserError(f"{kind} file {path}: plugins must be a list of Python files, such as [my_loss.py]; got {files!r}")
    for file in files:
        try:
            plugins.load(path.parent / Path(file).expanduser())
        except UserError as error:
            raise UserError(f"{kind} file {path}: {error}") from None
