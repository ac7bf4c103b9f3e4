"""The large sets that papers name, found in a folder of the user's: their lists are held against what is known of them.

A list, or the annotations that it is made of, lies in the data folder or up to two folders below, unless it comes with the
benchmark; the pictures that it names lie below the folder of the list, one above it, or one of the data folder's own. From there
on such a set is what `add_set` would make of the same list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from lt_core.cache import data_root
from lt_core.data.images import ImageSet
from lt_core.data.pictures.layouts import in_order
from lt_core.data.pictures.lists import Labels, labels_at, unlike
from lt_core.data.pictures.making import Layouts, Progress, key_of, pictures_dir, progress_of
from lt_core.data.pictures.manifest import Manifest, read_meta
from lt_core.data.pictures.source import found, image_set, layout_at, layouts_of
from lt_core.data.registered import Definition
from lt_core.data.sets import DATASETS
from lt_core.data.standard import LISTS, Part, Standard
from lt_core.errors import UserError

_ABOVE = ("", "*/", "*/*/")  # where a file is looked for, from the data folder


def decoded(at: Located) -> Definition:
    """The definition of a set whose pictures are decoded as its files are now.

    Raises:
        UserError: they are not.
    """
    key = key_at(at)
    if not key:
        raise UserError(
            f"{at.definition.name}: there is nothing to verify, because its pictures have not been decoded or have changed "
            "since: a run decodes them"
        )
    return replace(at.definition, key=key)


def standard(name: str) -> Standard | None:
    """What is known of the standard set ``name``; None if it is no such set."""
    source = DATASETS[name].source if name in DATASETS else None
    return source if isinstance(source, Standard) else None


@dataclass(frozen=True)
class Located:
    """Where a set is. ``definition`` has its counts, and no fingerprint yet."""

    definition: Definition
    layouts: Layouts
    train: Labels
    test: Labels
    validation: Labels | None = None


def load_standard(name: str, source: Standard, data_dir: str | None) -> ImageSet:
    """The images of a standard set, in canonical order; they are decoded once, and stay on disk until they are asked for.

    Raises:
        UserError: a list or a picture is missing; what is there is not what papers use; a picture cannot be read.
    """
    return image_set(*made(located(name, source, data_dir), progress_of(name)), name)


def made(at: Located, progress: Progress = lambda done, total: None) -> tuple[Definition, Manifest]:
    """The whole definition of a set that was located, decoded unless that was done, and its manifest.

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
    """The folder of the cache with the decoded pictures of a set as its files are now; empty if they are not decoded."""
    key = key_of(at.layouts, at.definition.size)
    return key if read_meta(pictures_dir() / key) else ""


def located(name: str, source: Standard, data_dir: str | None) -> Located:
    """Where the labels and the pictures of a set are.

    Raises:
        UserError: something is missing, or a list is not that which papers use.
    """
    root = data_root(data_dir, name)
    trains, tests = (_readable(name, source, which, root) for which in ("train", "test"))
    own = _readable(name, source, "validation", root, needed=False) if source.validation else ()
    for train, test in product(trains, tests):
        for folder in _folders(root, train.place):
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
    """A set whose pictures are all there, as many as there should be."""
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
    names = layouts[0][1].class_names
    return Located(
        replace(definition, class_names=names, train_counts=counts, test_count=tests), layouts, train, test, validation
    )


def _folders(root: Path, place: Path) -> Iterator[Path]:
    """Folders that the paths of a list may be relative to."""
    inside = [folder for folder in place.parents if folder == root or root in folder.parents]
    below = (path for pattern in ("*/", "*/*/") for path in sorted(root.glob(pattern)))
    yield from dict.fromkeys([*inside, root, *below])


def _readable(name: str, source: Standard, which: str, root: Path, needed: bool = True) -> Sequence[Labels]:
    """The right ones among the lists, files of annotations and class folders that may be those of a part; none, if it is not
    ``needed`` and not there.
    """
    part: Part = getattr(source, which)
    if part.list.shipped:
        return [labels_at(name, source, which, LISTS / part.list.name)]
    if part.tree:
        return _trees(name, source, which, root)
    kinds = [kind for kind in (part.list.name, part.annotations, part.folders) if kind]
    wrong: list[UserError] = []
    for kind in kinds:
        found_there = [path for above in _ABOVE for path in sorted(root.glob(above + kind))]
        if kind == part.folders:
            found_there = list(dict.fromkeys(path.parent for path in found_there if path.is_dir()))
        right: list[Labels] = []
        for place in found_there:
            try:
                right.append(_folder(name, source, place) if place.is_dir() else labels_at(name, source, which, place))
            except UserError as error:
                wrong.append(error)
        if right:
            return right
    if wrong:
        raise wrong[0]
    if not needed:
        return ()
    raise _nothing(name, source, " or ".join(kinds), root, "the lists and the pictures")


def _trees(name: str, source: Standard, which: str, root: Path) -> Sequence[Labels]:
    """The folders in the set's own layout; of several those with as many pictures as the part has."""
    part: Part = getattr(source, which)
    mark, _, of = part.tree.partition("#")
    folders = list(dict.fromkeys(path.parent for above in _ABOVE for path in sorted(root.glob(above + mark))))
    if not folders:
        raise _nothing(name, source, mark, root, source.pictures)
    places = [f"{folder}#{of}" if of else str(folder) for folder in folders]
    if len(places) > 1:  # one may be another set in the same layout
        right = [place for place in places if len(layout_at(place, which).entries) == part.list.images]
        places = right or places[:1]
    return [Labels(Path(place), standing="the set's own layout") for place in places]


def _nothing(name: str, source: Standard, what: str, root: Path, needed: str) -> UserError:
    return UserError(
        f"{name}: no {what} in {root} or up to two folders below it: put {needed} there, or set --data (or LT_DATA) to a folder "
        f"that contains them ({source.get})"
    )


def _folder(name: str, source: Standard, place: Path) -> Labels:
    classes = sum(path.is_dir() and not path.name.startswith(".") for path in place.iterdir())
    if classes != source.classes:
        raise UserError(f"{name}: {place} has {classes:,} class folders, expected {source.classes:,}: add the others")
    return Labels(place, standing="one folder per class")
