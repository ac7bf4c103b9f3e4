"""Named things: methods, losses, models, datasets, recipes. In the manner of timm's model registry."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Generic, TypeVar

from lt_core.errors import UserError, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """A dictionary of one kind of thing, listed by glob; a wrong name is answered with the nearest right one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        if name in self._items and self._items[name] is not item:
            raise UserError(f"two {self.kind}s are called '{name}': rename one of them")
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            raise unknown(self.kind, name, self._items)
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def values(self) -> list[T]:
        return list(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def names(self, pattern: str = "*") -> list[str]:
        """Names that match a glob such as ``cb_*``, in order of registration."""
        return [name for name in self._items if fnmatch.fnmatchcase(name, pattern)]
