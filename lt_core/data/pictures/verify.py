"""Verification of a set: every file and every decoded picture is read again and compared with the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lt_core.data.pictures.intact import damaged_pixels
from lt_core.data.pictures.making import Layouts, pictures_dir
from lt_core.data.pictures.manifest import Manifest, read_manifest, read_meta, restamp
from lt_core.data.pictures.source import layouts_of
from lt_core.data.registered import Definition
from lt_core.errors import UserError

_AT_ONCE = 256  # pictures that are read together


def verify_set(definition: Definition) -> list[str]:
    """What has changed since the set was added: a sentence for each file, and for the decoded pictures. Empty if nothing has.

    If the content of every file is unchanged, their present sizes and times are recorded, so that a copy of the folder is as good
    as the original.

    Raises:
        UserError: the manifest is no longer in the cache.
    """
    folder = pictures_dir() / definition.key
    meta = read_meta(folder)
    if meta is None:
        raise UserError(f"{definition.name}: {folder} has no manifest to verify against: add the set again to create one")
    manifest, layouts = read_manifest(folder), layouts_of(definition)
    wrong, stamps = _files(manifest, layouts)
    if not wrong:
        restamp(folder, stamps)
    return wrong + [
        f"{folder}/pixels.npy is damaged at picture {first}: remove the folder, and the pictures will be decoded again"
        for first in damaged_pixels(folder, manifest, meta)
    ]


def _files(manifest: Manifest, layouts: Layouts) -> tuple[list[str], Mapping[int, tuple[int, int]]]:
    """What is wrong, and the size and time of each file, by row of the manifest."""
    rows = {key: row for row, key in enumerate(zip(manifest["part"], manifest["place"], strict=True))}
    wrong: list[str] = []
    stamps: dict[int, tuple[int, int]] = {}
    for part, layout in layouts:
        for start in range(0, len(layout.entries), _AT_ONCE):
            entries = layout.entries[start : start + _AT_ONCE]
            for entry, content in zip(entries, layout.contents(start, start + len(entries)), strict=True):
                row = rows.pop((part, entry.place), None)
                if row is None:
                    wrong.append(f"{layout.where}/{entry.place} is new")
                    continue
                stamps[row] = entry.bytes, entry.mtime
                digest = "" if isinstance(content, OSError) else hashlib.sha256(content).hexdigest()
                if digest != manifest["sha256"][row]:
                    wrong.append(f"{layout.where}/{entry.place} {'has changed' if digest else 'cannot be read'}")
                elif entry.label != manifest["label"][row]:
                    wrong.append(f"{layout.where}/{entry.place} now has label {entry.label} instead of {manifest['label'][row]}")
    return wrong + [f"{manifest.shown(row)} is missing" for row in rows.values()], stamps
