"""Standard sets with three classes and seventeen pictures, on disk in the layouts that people use."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lt_core.data.sets import DatasetInfo, _standard
from lt_core.data.standard import Part
from lt_core.data.standard_sets import STANDARD
from tests.pictures import pictures

TRAIN, TEST = (6, 3, 2), (2, 2, 2)
FILES = {"train": pictures(TRAIN), "test": pictures(TEST, start=500)}
HELD = pictures(TEST, start=800)
#: Makes the path of a picture from its split, its file name and its label.
Layout = Callable[[str, str, int], str]


def shrunken(name: str, sizes: tuple[int, ...] = TRAIN, **lists: dict[str, Any]) -> DatasetInfo:
    """The registered facts of a standard set, changed to the pictures of this module at 8 pixels.

    Args:
        sizes: as in `lt_core.data.standard.Standard`.
        lists: md5 or git hash of the list of a split; without it, neither is known.
    """
    whole = STANDARD[name]
    parts = {which: getattr(whole, which) for which in FILES}
    changed = {
        which: dataclasses.replace(
            part,
            list=dataclasses.replace(part.list, images=len(FILES[which]), **lists.get(which, {"md5": (), "git": ""})),
        )
        for which, part in parts.items()
    }
    if whole.validation:
        changed["validation"] = Part(dataclasses.replace(whole.validation.list, images=len(HELD), md5=()))
    return _standard(name, dataclasses.replace(whole, classes=3, sizes=sizes, size=8, **changed))


def lines(which: str, layout: Layout) -> list[tuple[str, int, bytes]]:
    """(path, label, content) of the pictures of a split."""
    return [(layout(which, name, label), label, content) for name, label, content in FILES[which]]


def by_class(which: str, name: str, label: int) -> str:
    return f"{'train' if which == 'train' else 'val'}/n0000000{label}/{name}"


def flat(which: str, name: str, label: int) -> str:
    """A layout whose test set has no class folders."""
    return by_class(which, name, label) if which == "train" else f"val/{name}"


def animals(which: str, name: str, label: int) -> str:
    return f"train_val2018/Aves/{label}/{name}"


def fill(root: Path, layout: Layout) -> None:
    """Write the pictures of both splits."""
    for which in FILES:
        for path, _, content in lines(which, layout):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)


def listing(which: str, layout: Layout, end: str = "\n") -> bytes:
    """The list of a split."""
    return "".join(f"{path} {label}{end}" for path, label, _ in lines(which, layout)).encode()


def lists(folder: Path, name: str, layout: Layout, end: str = "\n") -> None:
    """Write the lists of both splits under their published names."""
    folder.mkdir(parents=True, exist_ok=True)
    for which in FILES:
        (folder / getattr(STANDARD[name], which).list.name).write_bytes(listing(which, layout, end))


def hold_out(root: Path, name: str, layout: Layout) -> None:
    """Write a validation list and its pictures, which are stored among the training pictures."""
    lines = []
    for file, label, content in HELD:
        path = layout("train", file, label)
        (root / path).write_bytes(content)
        lines.append(f"{path} {label}\n")
    part = STANDARD[name].validation
    assert part
    (root / part.list.name).write_text("".join(lines))


def coco(which: str, layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """The annotations of a split, in another order than its images."""
    found = list(enumerate(lines(which, layout)))
    return {
        "images": [{"id": 100 + i, "file_name": path, "width": 12, "height": 9} for i, (path, _, _) in found],
        "annotations": [{"id": i, "image_id": 100 + i, "category_id": label} for i, (_, label, _) in reversed(found)],
        "categories": [{"id": label, "name": f"bird {label}"} for label in (2, 0, 1)],
    }


def annotate(folder: Path, layout: Layout = animals) -> None:
    """Write annotations of both splits in the form of iNaturalist 2018."""
    folder.mkdir(parents=True, exist_ok=True)
    for which in FILES:
        name = f"{'train' if which == 'train' else 'val'}2018.json"
        (folder / name).write_text(json.dumps(coco(which, layout)))
