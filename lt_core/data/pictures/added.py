"""Adding sets of pictures, and finding those that were added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lt_core.data import registered
from lt_core.data.pictures.files import paired
from lt_core.data.pictures.layouts import Layout
from lt_core.data.pictures.making import Progress, pictures_dir
from lt_core.data.pictures.manifest import Manifest, read_manifest, read_meta
from lt_core.data.pictures.source import found, layout_at
from lt_core.data.registered import Definition
from lt_core.data.sets import DATASETS, DatasetInfo, info_of
from lt_core.errors import UserError, unknown

#: A place that holds pictures, or (path, label) pairs.
Pictures = str | Path | Iterable[tuple[str | Path, str | int]]


@dataclass(frozen=True)
class Added:
    """A set that was added. ``notes``: sentences about what was left out."""

    definition: Definition
    manifest: Manifest
    notes: tuple[str, ...]
    former: str = ""  # version of another set that had this name before


def add_set(
    name: str,
    train: str | Path,
    test: str | Path = "",
    root: str | Path = "",
    size: int = 64,
    test_each: int = 0,
    split_seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Added:
    """Add a set of pictures under ``name`` for this user: read, decode and register it. Finished work is not repeated.

    Args:
        train, test: a folder with one folder per class, a list of ``relative/path label``, or Parquet; see `layout_at`.
        root: the folder that the paths of a list are relative to; empty: that of the list.
        size: height and width in pixels of the decoded pictures.
        test_each: without ``test``, images of each class that are drawn for test; 0: a fifth of the smallest class.
        split_seed: the seed with which they are drawn.
        progress: is called with the number of decoded pictures and the number of all.

    Raises:
        UserError: the name is taken, there is nothing to read, a class has no pictures, or the disk has too little room.
    """
    registered.check_name(name)
    former = registered.find(name)
    if former is None and name in DATASETS:
        raise UserError(f"dataset '{name}' already exists: choose another name")
    if size < 1 or test_each < 0 or split_seed < 0:
        raise UserError(f"{name}: --size must be at least 1, --test-each and --split-seed at least 0")
    if test and (test_each or split_seed):
        raise UserError(
            f"{name}: --test-each and --split-seed describe how to split off a test set, but --test already gives one: omit them"
        )
    at = {"train": train, "test": test, "root": root}
    places = {key: str(Path(place).expanduser().resolve()) if place else "" for key, place in at.items()}
    asked = Definition(name, **places, size=size, test_each=test_each, split_seed=split_seed)  # type: ignore[arg-type]
    definition, manifest, notes = found(asked, progress)
    registered.write(definition)
    other = former.version if former and former.fingerprint != definition.fingerprint else ""
    return Added(definition, manifest, notes, other)


def picture_set(
    name: str,
    train: Pictures,
    test: Pictures = "",
    root: str | Path = "",
    size: int = 64,
    test_each: int = 0,
    split_seed: int = 0,
) -> DatasetInfo:
    """Register a set of pictures from Python: in a plug-in file, or in a module that an entry point names.

    Args:
        train, test: as in `add_set`, or (path, label) pairs, where a label is the number of a class or its name.
        root: the folder that paths are relative to.
        size, test_each, split_seed: as in `add_set`.

    Raises:
        UserError: for the same reasons as in `add_set`.
    """
    base = Path(root).expanduser().resolve()
    layouts: list[tuple[str, Layout]] = []
    for part, given in (("train", train), ("test", test)):
        if isinstance(given, str | Path):
            place = str(Path(given).expanduser().resolve())
            layouts += [(part, layout_at(place, part, str(base) if root else ""))] if given else []
        else:
            layouts.append((part, paired(given, base)))
    asked = Definition(name, f"the pairs of {name}", size=size, test_each=test_each, split_seed=split_seed)
    definition, _, _ = found(asked, lambda done, total: None, layouts)
    return DATASETS.add(name, info_of(definition))


def known(name: str) -> Definition:
    """The set that was added as ``name``.

    Raises:
        UserError: there is none.
    """
    definition = registered.find(name)
    if definition is None:
        raise unknown("set of pictures", name, registered.names())
    return definition


def manifest_of(definition: Definition) -> Manifest:
    """The manifest of a set, which is made again if it is no longer in the cache.

    Raises:
        UserError: for the same reasons as in `found`.
    """
    folder = pictures_dir() / definition.key
    return read_manifest(folder) if read_meta(folder) else found(definition, lambda done, total: None)[1]
