"""Layouts of three published sets, whose folders themselves say which split and class each picture belongs to.

A place names such a folder. If the folder leaves open what the class of a picture is, the place says it after ``#``:
``celeba#Smiling``. The folder is recognised by a file or folder in it, so other sets in the same layout are read in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lt_core.data.pictures.files import Files, lines_of, pictures_below, present
from lt_core.data.pictures.layouts import Entry, in_order
from lt_core.errors import UserError, unknown

#: (folder, split, what the class is or empty for the folder's own) → the pictures of that split.
Reader = Callable[[Path, str, str], Files]


def open_place(place: str) -> tuple[Path, str]:
    """The path in ``place``, and the text after ``#`` unless that belongs to the path.

    >>> open_place("no_such_folder/celeba#Smiling")[1], open_place("birds")[1]
    ('Smiling', '')
    """
    path, mark, of = place.rpartition("#")
    return (Path(path), of) if mark and not Path(place).exists() else (Path(place), "")


def reader_of(folder: Path) -> Reader | None:
    """The function that reads ``folder``, if it is in one of these layouts; else None."""
    return next((read for mark, read in READERS.items() if (folder / mark).exists()), None)


def domains(where: Path, part: str, of: str = "") -> Files:
    """Two classes, A and B, in the layout of CycleGAN's sets (Zhu et al. 2017): ``trainA``, ``trainB``, ``testA``, ``testB``.

    Raises:
        UserError: one of the two folders is missing or has no pictures, or ``of`` is not empty.
    """
    _no_choice(where, of, "trainA and trainB")
    entries: list[Entry] = []
    for name in ("A", "B"):
        folder = f"{part}{name}"
        pictures = pictures_below(where, folder)[0] if (where / folder).is_dir() else []
        if not pictures:
            raise UserError(f"{where} has no pictures in {folder}: a set in this layout has trainA, trainB, testA and testB")
        entries += present(f"the folder {folder}", where, ((place, name) for place in pictures))
    return Files(where, entries, ("A", "B"))


_FAMILY = "family"


def split_file(where: Path, part: str, of: str = "") -> Files:
    """The layout of CUB-200-2011 (Wah et al. 2011): ``images.txt`` and ``image_class_labels.txt`` give the path and the class of
    each picture by its number, and ``train_test_split.txt`` has a 1 for training; paths are relative to ``images``.

    Args:
        of: with ``family``, the class of a picture is the last word of its folder, such as Sparrow for 113.Baird_Sparrow.

    Raises:
        UserError: a file is missing or does not have this form, or a picture has no class or is missing.
    """
    if of not in ("", _FAMILY):
        raise unknown("kind of class", of, [_FAMILY], f"{where}, after #")
    path_of, class_of, trained = (
        dict(_pairs(where / name)) for name in ("images.txt", "image_class_labels.txt", "train_test_split.txt")
    )
    without = next((number for number in path_of if number not in class_of or number not in trained), None)
    if without:
        raise UserError(
            f"{where}: image {without} ({path_of[without]}) needs a line in image_class_labels.txt and in train_test_split.txt: "
            "unpack the set again"
        )
    wanted = "1" if part == "train" else "0"
    chosen = [number for number, path in path_of.items() if trained[number] == wanted]
    if of == _FAMILY:
        label_of = {number: _folder(path_of[number]).rpartition("_")[2] for number in chosen}
        names = in_order(list(label_of.values()))
    else:
        label_of = {number: class_of[number] for number in chosen}
        named = {class_of[number]: _folder(path_of[number]) for number in chosen}
        names = tuple(named[label] for label in in_order(list(named)))
    pairs = ((f"images/{path_of[number]}", label_of[number]) for number in chosen)
    return Files(where, _some(where, part, present(where / "images.txt", where, pairs)), names)


_PARTITION = {"train": "0", "validation": "1", "test": "2"}


def attributes(where: Path, part: str, of: str = "") -> Files:
    """Two classes, without and with an attribute, of CelebA (Liu et al. 2015) as torchvision unpacks it: ``list_attr_celeba.txt``
    has a line of names, and −1 or 1 for each name and picture; ``list_eval_partition.txt`` has 0 for training, 1 for validation
    and 2 for test; the pictures are in ``img_align_celeba``.

    Args:
        of: the attribute.

    Raises:
        UserError: there is no such attribute, a file is missing or does not have this form, or a picture is missing.
    """
    file = where / "list_attr_celeba.txt"
    rows = iter(lines_of(file))
    next(rows, "")  # the number of pictures
    names = next(rows, "").split()
    if not of:
        raise UserError(f"{where}: write the attribute that is the class after the folder, such as {where.name}#Smiling")
    if of not in names:
        raise unknown("attribute", of, names, str(file))
    part_of = dict(_pairs(where / "list_eval_partition.txt"))
    column, pairs = 1 + names.index(of), []
    for row in rows:
        words = row.split()
        if words and (len(words) != 1 + len(names) or words[column] not in ("-1", "1")):
            raise UserError(
                f"{file}: the line of {words[0]} does not have -1 or 1 for each of {len(names)} attributes: download it again"
            )
        if words and part_of.get(words[0]) == _PARTITION[part]:
            pairs.append((f"img_align_celeba/{words[0]}", "1" if words[column] == "1" else "0"))
    return Files(where, _some(where, part, present(file, where, pairs)), (f"not {of}", of))


#: A file or folder that shows the layout of a folder → the function that reads this layout.
READERS: dict[str, Reader] = {
    "trainA": domains,
    "train_test_split.txt": split_file,
    "list_attr_celeba.txt": attributes,
}


def _folder(path: str) -> str:
    """The folder of a picture without its number: Baird_Sparrow for 113.Baird_Sparrow/…."""
    return path.rpartition("/")[0].rpartition("/")[2].rpartition(".")[2]


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    """The two words of each line."""
    for number, line in enumerate(lines_of(file), 1):
        words = line.split()
        if words and len(words) != 2:
            raise UserError(f"{file}, line {number}: '{line.strip()}' must be two words: unpack the set again")
        if words:
            yield words[0], words[1]


def _some(where: Path, part: str, entries: list[Entry]) -> list[Entry]:
    if not entries:
        raise UserError(f"{where} has no pictures in the {part} split: unpack the set again")
    return entries


def _no_choice(where: Path, of: str, layout: str) -> None:
    if of:
        raise UserError(f"{where} has its classes in {layout}: remove '#{of}'")
