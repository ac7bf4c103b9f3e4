"""Finding the lists and the pictures of a standard set in a user's data folder.

Unless a list comes with the benchmark, the list, or the annotations from which it is made, is in the data folder or up to two
folders below. The pictures that it names are below the folder of the list, a folder above it, or a folder in the data folder. A
set's own layout is in the data folder or up to two folders below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lt_core.data.pictures.lists import Labels, labels_at
from lt_core.data.pictures.source import layout_at
from lt_core.data.standard import LISTS, Part, Standard
from lt_core.errors import UserError

_ABOVE = ("", "*/", "*/*/")  # where files are looked for, relative to the data folder


def folders_of(root: Path, place: Path) -> Iterator[Path]:
    """Folders to which the paths of a list may be relative."""
    inside = [folder for folder in place.parents if folder == root or root in folder.parents]
    below = (path for pattern in ("*/", "*/*/") for path in sorted(root.glob(pattern)))
    yield from dict.fromkeys([*inside, root, *below])


def readable(name: str, source: Standard, which: str, root: Path, needed: bool = True) -> Sequence[Labels]:
    """The lists, files of annotations or class folders below ``root`` that are right for the part ``which``, train or test.

    If there are none, the result is empty unless the part is ``needed``.

    Raises:
        UserError: candidates are wrong, or there are none and the part is ``needed``.
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
    """The folders in the set's own layout; if there are several, those with as many pictures as the part has."""
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
