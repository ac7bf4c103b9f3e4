"""The large sets that papers name, found in a user's data folder; their lists are compared with what is known about them.

`lt_core.data.pictures.finding` knows where the lists and pictures may be. After that, a set is what `add_set` would make from the
same list.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from lt_core.cache import data_root
from lt_core.data.images import ImageSet
from lt_core.data.pictures.finding import folders_of, readable
from lt_core.data.pictures.layouts import in_order
from lt_core.data.pictures.lists import Labels, unlike
from lt_core.data.pictures.making import Layouts, Progress, key_of, pictures_dir, progress_of
from lt_core.data.pictures.manifest import Manifest, read_meta
from lt_core.data.pictures.source import found, image_set, layouts_of
from lt_core.data.registered import Definition
from lt_core.data.sets import DATASETS
from lt_core.data.standard import Standard
from lt_core.errors import UserError


def decoded(at: Located) -> Definition:
    """The definition of a set whose files have not changed since they were decoded.

    Raises:
        UserError: they have not been decoded, or have changed since.
    """
    key = key_at(at)
    if not key:
        raise UserError(
            f"{at.definition.name}: there is nothing to verify, because its pictures have not been decoded or have changed "
            "since: a run decodes them"
        )
    return replace(at.definition, key=key)


def standard(name: str) -> Standard | None:
    """What is known about the standard set ``name``; None if it is not a standard set."""
    source = DATASETS[name].source if name in DATASETS else None
    return source if isinstance(source, Standard) else None


@dataclass(frozen=True)
class Located:
    """Where a set is. ``definition`` has its counts, but no fingerprint yet."""

    definition: Definition
    layouts: Layouts
    train: Labels
    test: Labels
    validation: Labels | None = None


def load_standard(name: str, source: Standard, data_dir: str | None) -> ImageSet:
    """The images of a standard set, in canonical order; they are decoded once, and stay on disk until they are used.

    Raises:
        UserError: a list or a picture is missing, the set is not the one that papers use, or a picture cannot be read.
    """
    return image_set(*made(located(name, source, data_dir), progress_of(name)), name)


def made(at: Located, progress: Progress = lambda done, total: None) -> tuple[Definition, Manifest]:
    """The complete definition and the manifest of a set that was located; it is decoded unless that was done.

    Raises:
        UserError: a picture cannot be read.
    """
    definition, manifest, _ = found(at.definition, progress, at.layouts)
    unreadable = np.flatnonzero(~manifest.readable).tolist()
    if unreadable:
        first = f"{manifest.shown(unreadable[0])}, {manifest['problem'][unreadable[0]]}"
        share = f"{len(unreadable):,} of {len(manifest):,} pictures"
        raise UserError(f"{definition.name}: {share} cannot be read (first: {first}): download them again")
    return definition, manifest


def key_at(at: Located) -> str:
    """The folder of the cache with the decoded pictures of a set's present files; empty if these are not decoded."""
    key = key_of(at.layouts, at.definition.size)
    return key if read_meta(pictures_dir() / key) else ""


def located(name: str, source: Standard, data_dir: str | None) -> Located:
    """Where the labels and the pictures of a set are.

    Raises:
        UserError: something is missing, or a list is not the one that papers use.
    """
    root = data_root(data_dir, name)
    trains, tests = (readable(name, source, which, root) for which in ("train", "test"))
    own = readable(name, source, "validation", root, needed=False) if source.validation else ()
    for train, test in product(trains, tests):
        for folder in folders_of(root, train.place):
            if all((folder / labels.first).exists() for labels in (train, test)):
                places = str(train.place), str(test.place), str(folder)
                held = next((labels for labels in own if (folder / labels.first).exists()), None)
                asked = Definition(name, *places, size=source.size, validation=str(held.place) if held else "")
                return _counted(asked, source, train, test, held)
    named = " and ".join(f"{labels.first} ({labels.place.name})" for labels in (trains[0], tests[0]) if labels.first)
    there = "" if source.train.list.shipped else f"the lists are in {trains[0].place.parent}, and "
    raise UserError(
        f"{name}: {there}no folder in {root} or up to two below it has {named}: put "
        f"the pictures ({source.pictures}) into {root} ({source.get})"
    )


def _counted(definition: Definition, source: Standard, train: Labels, test: Labels, validation: Labels | None) -> Located:
    """The set, after a check that all its pictures exist and that their numbers are right."""
    layouts = layouts_of(definition)
    labels = [entry.label for entry in layouts[0][1].entries]
    sizes, tests = Counter(labels), len(layouts[1][1].entries)
    counts = tuple(sizes[label] for label in in_order(labels))
    expected = source.train.list.images, source.test.list.images
    wrong = unlike(counts, source)
    if (len(labels), tests) != expected:
        wrong = f"{len(labels):,} training and {tests:,} test images, expected {expected[0]:,} and {expected[1]:,}"
    if wrong:
        where = f"{definition.train} and {definition.test} have {wrong}"
        raise UserError(f"{definition.name}: {where}: download the set again ({source.get})")
    names = source.class_names or layouts[0][1].class_names
    return Located(
        replace(definition, class_names=names, train_counts=counts, test_count=tests), layouts, train, test, validation
    )
