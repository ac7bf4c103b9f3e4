"""Turns what a user writes into the definition of a set, and a definition into images."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from lt_core.data.images import ImageSet, Rows
from lt_core.data.pictures.annotations import annotated
from lt_core.data.pictures.files import class_folders, listed
from lt_core.data.pictures.intact import intact
from lt_core.data.pictures.layouts import Layout
from lt_core.data.pictures.making import Layouts, Progress, make, pictures_dir, progress_of
from lt_core.data.pictures.manifest import Manifest, read_manifest, refuse_changed
from lt_core.data.pictures.parts import fingerprint_of, parts_of, validation_of
from lt_core.data.pictures.tables import saved, shards
from lt_core.data.pictures.trees import open_place, reader_of
from lt_core.data.registered import Definition
from lt_core.errors import UserError


def layout_at(place: str, part: str, root: str = "") -> Layout:
    """The pictures at ``place``: a folder with class folders, with Parquet shards, saved by `datasets`, or in a layout of
    `lt_core.data.pictures.trees`; a Parquet file; a list; or annotations in COCO's format.

    Args:
        part: ``train``, ``test`` or ``validation``: which pictures to take if one folder has several splits.
        root: the folder that the paths of a list or of annotations are relative to; empty: the folder of that file.

    Raises:
        UserError: there are no pictures with labels at ``place``.
    """
    path, of = open_place(place)
    read = reader_of(path)
    if read:
        return read(path, part, of)
    if of:
        raise UserError(f"{path} is not a folder in which '#{of}' can choose the classes: remove '#{of}', or correct the path")
    if path.is_dir():
        if (path / "dataset_dict.json").is_file() or any(path.glob("*.arrow")):
            return saved(path, part)
        tables = any(name.endswith(".parquet") for _, _, names in os.walk(path) for name in names)
        return shards(path, part) if tables else class_folders(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a folder with one folder per class, a list of pictures, or Parquet files")
    if root and not Path(root).is_dir():
        raise UserError(f"--root {root} is not a folder")
    if path.suffix == ".parquet":
        return shards(path, part)
    return (annotated if path.suffix == ".json" else listed)(path, Path(root) if root else None)


def layouts_of(definition: Definition) -> Layouts:
    """The splits that the definition names, as they are on disk now."""
    given = {"train": definition.train, "test": definition.test, "validation": definition.validation}
    return [(part, layout_at(place, part, definition.root)) for part, place in given.items() if place]


def found(
    definition: Definition, progress: Progress, layouts: Layouts | None = None
) -> tuple[Definition, Manifest, tuple[str, ...]]:
    """Read, hash and decode the pictures that ``definition`` names, unless that was done, and fill in what was found.

    Args:
        layouts: the pictures themselves, if the definition names no place where they can be found.

    Returns:
        The complete definition, the manifest, and sentences about what was left out.

    Raises:
        UserError: there are no pictures, a class is left without any, or the cache has too little room.
    """
    layouts = layouts_of(definition) if layouts is None else layouts
    key = make(layouts, definition.size, progress)
    manifest, training = read_manifest(pictures_dir() / key), layouts[0][1]
    train, test = parts_of(manifest, definition.name, definition.test_each, definition.split_seed)
    whole = replace(
        definition,
        key=key,
        fingerprint=fingerprint_of(manifest, train, test, definition.size),
        class_names=training.class_names,
        train_counts=tuple(np.bincount(train.labels).tolist()),
        test_count=len(test.rows),
    )
    return whole, manifest, tuple(note for _, layout in layouts for note in layout.notes)


def load_pictures(definition: Definition, name: str) -> ImageSet:
    """The images of a set that was added, in canonical order; pixels stay on disk until they are used.

    If they are no longer in the cache, or this is another machine, they are decoded again.

    Raises:
        UserError: the files are not those that were added.
    """
    key = definition.key
    if not intact(pictures_dir() / key):
        again, _, _ = found(definition, progress_of(definition.name))
        if again.fingerprint != definition.fingerprint:
            raise UserError(
                f"{definition.name}: the content of {definition.train} has changed since the set was added (fingerprint "
                f"{again.fingerprint}, then {definition.fingerprint}): restore it, or add the set again as a new version"
            )
        key = again.key
    manifest = read_manifest(pictures_dir() / key)
    refuse_changed(definition.name, manifest)
    return image_set(replace(definition, key=key), manifest, name)


def image_set(definition: Definition, manifest: Manifest, name: str) -> ImageSet:
    """The images of a set whose pictures are decoded; they stay on disk until they are used."""
    train, test = parts_of(manifest, definition.name, definition.test_each, definition.split_seed)
    own = validation_of(manifest, name)
    pixels = np.load(pictures_dir() / definition.key / "pixels.npy", mmap_mode="r")
    return ImageSet(
        name,
        Rows(pixels, train.rows),
        train.labels,
        Rows(pixels, test.rows),
        test.labels,
        definition.fingerprint,
        Rows(pixels, own.rows) if own else None,
        own.labels if own else None,
    )
