"""Registries of named things: methods, losses, models, data sets, recipes (in the manner of timm's model registry).

What a plug-in file registers has a version, the first digits of the file's SHA-256, and a full name that contains it:
``my_loss@3f2a9c1b``. Specs contain full names, so an edited file leads to different trials, with different IDs and labels.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from lt_core.errors import UserError, unknown
from lt_core.labels import method_of, renamed, without_version

T = TypeVar("T")
S = TypeVar("S")


class Registry(Generic[T]):
    """A dictionary of one kind of thing, which can be listed by glob; the error for an unknown name suggests the nearest one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        self._files: dict[str, Recorder] = {}  # name → the plug-in file that registered it
        self._others: list[tuple[Registry[Any], Callable[[str, Any], T]]] = []

    def include(self, other: Registry[S], make: Callable[[str, S], T]) -> None:
        """Also find the names of ``other``, as ``make(name, item)``; listings of this registry leave them out."""
        self._others.append((other, make))

    def add(self, name: str, item: T) -> T:
        if name in self._items and self._items[name] is not item:
            file = f", from plug-in {self._files[name].path}" if name in self._files else ""
            raise UserError(f"{self.kind} '{name}' already exists{file}: choose another name")
        if name not in self._items and (recorder := _recorder.get()) and recorder.file_registers():
            if not re.fullmatch(r"[\w.-]+", name):
                raise UserError(f"{self.kind} '{name}' may contain only letters, digits, '_', '.' and '-': rename it")
            self._files[name] = recorder
            recorder.entries.append((self, name))
        self._items[name] = item
        return item

    def remove(self, name: str) -> None:
        """Forget the entry, as if it had never been added."""
        del self._items[name]
        self._files.pop(name, None)

    def versioned(self, label: str) -> str:
        """``label``, a name or ``name[key=value,…]``, with the full name; unchanged if no plug-in file registered it."""
        name = method_of(label)
        version = "" if "@" in name else self._version(name)
        return renamed(label, f"{name}@{version}") if version else label

    # For names without a version:

    def _has(self, plain: str) -> bool:
        return plain in self._items or any(other._has(plain) for other, _ in self._others)

    def _item(self, plain: str) -> T:
        if plain not in self._items:
            for other, make in self._others:
                if other._has(plain):
                    return make(plain, other._item(plain))
        return self._items[plain]

    def _version(self, plain: str) -> str:
        if plain in self._items:
            return self._files[plain].version if plain in self._files else ""
        return next(filter(None, (other._version(plain) for other, _ in self._others)), "")

    def _alike(self, plain: str) -> set[str]:
        """The names that are compared with an unknown one."""
        return {*self._items, *(name for other, _ in self._others for name in other._alike(plain))}

    def missing(self, name: str, where: str = "") -> UserError:
        """The error for an unknown ``name``: suggests the nearest one, or asks for the plug-in file."""
        plain = without_version(name)
        if plain == name:
            return unknown(self.kind, name, self._alike(plain), where)
        loaded = f"; another version of it is loaded ({self.versioned(plain)})" if self._has(plain) else ""
        place = f"{where}: " if where else ""
        words = f"{self.kind} {name} comes from a plug-in file that is not loaded{loaded}"
        return UserError(f"{place}{words}: pass that file with --plugin")

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise self.missing(name)
        return self._item(without_version(name))

    def __contains__(self, name: object) -> bool:
        plain = without_version(str(name))
        return self._has(plain) and name in (plain, self.versioned(plain))

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def values(self) -> list[T]:
        return list(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def names(self, pattern: str = "*") -> list[str]:
        """Names that match a glob such as ``cb_*``, in order of registration."""
        return [name for name in self._items if fnmatch.fnmatchcase(name, pattern)]


class Recorder:
    """Records what a plug-in file registers while it is executed."""

    def __init__(self, path: str, version: str) -> None:
        self.path, self.version = path, version
        self.entries: list[tuple[Registry[Any], str]] = []

    def file_registers(self) -> bool:
        """Whether the file itself is registering something, rather than a module that it imports."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.path:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return False
            frame = frame.f_back  # type: ignore[assignment]
        return frame is not None


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recording(path: str, version: str) -> Iterator[Recorder]:
    """In this block, everything that the file at ``path`` registers has this ``version``."""
    made = Recorder(path, version)
    token = _recorder.set(made)
    try:
        yield made
    finally:
        _recorder.reset(token)


def here(name: str) -> str:
    """The full name that ``name`` would have if it were registered now."""
    recorder = _recorder.get()
    return f"{name}@{recorder.version}" if recorder and recorder.file_registers() else name
