"""Plug-in files: a user's own Python files that register methods, parts, models, data sets, recipes, metrics or loggers.

A file is self-contained: what it imports must be installed, and its text travels with every trial, so that no node of a cluster
needs the file. IDs, labels and rows contain its version, the first digits of the file's SHA-256 (see `lt_core.registry`): an
edited file defines different methods, which never share a row with the earlier ones.
"""

from __future__ import annotations

import hashlib
import linecache
import re
import sys
import traceback
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lt_core.data.registered import versions as versions_of_sets
from lt_core.errors import UserError, in_a_line
from lt_core.registry import Recorder, recording

_DIGITS = 8  # number of digits of the SHA-256 in names


@dataclass(frozen=True)
class Plugin:
    """A plug-in file. ``path`` is where it was found; on a node of a cluster there may be no such file."""

    path: str
    text: str

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """The version that follows the names of what the file registers."""
        return self.sha256[:_DIGITS]


_loaded: dict[str, tuple[Plugin, Recorder]] = {}  # version → the file, and what it registered


def load(path: str | Path) -> Plugin:
    """Read the plug-in file at ``path`` and register what it defines, replacing what an earlier version of the file defined.

    Raises:
        UserError: the file cannot be read, is not Python, fails, registers nothing, or registers a name that is taken.
    """
    try:
        text = Path(path).expanduser().read_bytes().decode()
    except OSError as error:
        raise UserError(f"plug-in {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"plug-in {path} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    plugin = Plugin(str(Path(path).expanduser()), text)
    activate(plugin)
    return plugin


def load_all(files: str | Path | Sequence[str | Path]) -> None:
    """`load` each of several plug-in files, or a single one.

    Raises:
        UserError: what `load` raises.
    """
    for file in [files] if isinstance(files, str | Path) else files:
        load(file)


def activate(plugin: Plugin) -> None:
    """Register what ``plugin`` defines, unless that has already been done.

    Raises:
        UserError: what `load` raises for the text of a file.
    """
    import lt_core.methods  # noqa: F401  (registers the benchmark's own names, so that a file cannot take them)

    if plugin.version in _loaded:
        return
    for other in loaded():
        if Path(other.path).resolve() == Path(plugin.path).resolve():
            forget(other.version)
    # Python knows the module's name and text, so that annotations are resolved and tracebacks show lines even without the file.
    module = types.ModuleType(f"lt_plugin_{plugin.version}")
    module.__file__ = plugin.path
    sys.modules[module.__name__] = module
    linecache.cache[plugin.path] = (len(plugin.text), None, plugin.text.splitlines(keepends=True), plugin.path)
    with recording(plugin.path, plugin.version) as recorder:
        _loaded[plugin.version] = plugin, recorder
        try:
            exec(compile(plugin.text, plugin.path, "exec", dont_inherit=True), vars(module))
            if not recorder.entries:
                raise UserError(
                    "the file registers nothing: call method(…), recipe(…) or dataset(…), or use @part(…), @metric(…) or "
                    "@logger(…)"
                )
        except (Exception, SystemExit) as error:
            place = place_in("".join(traceback.format_exception(error)))
            forget(plugin.version)
            line = f", line {place[1]}" if place else ""
            raise UserError(f"plug-in {plugin.path}{line}: {in_words(error)}") from error


def forget(version: str) -> None:
    """Unregister everything from the plug-in file with that version."""
    _, recorder = _loaded.pop(version)
    for registry, name in recorder.entries:
        registry.remove(name)
    sys.modules.pop(f"lt_plugin_{version}", None)


def loaded() -> list[Plugin]:
    """The plug-in files that are loaded, in order."""
    return [plugin for plugin, _ in _loaded.values()]


def missing(versions: set[str]) -> set[str]:
    """The ``versions``, such as `TrialSpec.versions`, that belong to no loaded file and to no added set of pictures."""
    unknown = versions - set(_loaded)
    return unknown - versions_of_sets() if unknown else unknown


def registered(plugin: Plugin) -> list[tuple[str, str]]:
    """What ``plugin`` registered: (kind, name) of each entry, in order."""
    return [(registry.kind, name) for registry, name in _loaded[plugin.version][1].entries]


def provenance() -> dict[str, Any]:
    """The plug-in files that are loaded, for the environment of a record; empty if there are none."""
    return {"plugins": [{"file": plugin.name, "sha256": plugin.sha256} for plugin in loaded()]} if _loaded else {}


def place_in(trace: str) -> tuple[str, int] | None:
    """The line of a plug-in file at which an error was raised: the file's path and the number of the line.

    Args:
        trace: a traceback as text, such as failed trials keep.
    """
    paths = {plugin.path for plugin in loaded()}
    found = [(path, int(line)) for path, line in re.findall(r'File "(.+)", line (\d+)', trace) if path in paths]
    return found[-1] if found else None


def in_words(error: BaseException) -> str:
    """``error`` in one line; a `UserError` is shown without its type."""
    return str(error) if isinstance(error, UserError) else in_a_line(error)
