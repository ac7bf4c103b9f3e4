"""Lists of the large sets that papers name: how they are made from annotations and compared with what is known about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lt_core.data.pictures.annotations import read_annotations
from lt_core.data.sets import DATASETS
from lt_core.data.standard import ListFile, Standard, canonical, git_of, md5_of
from lt_core.data.standard_sets import STANDARD
from lt_core.errors import UserError, unknown
from lt_core.labels import counted
from lt_core.whole_files import replacing


@dataclass(frozen=True)
class Labels:
    """What says which pictures a split has.

    Args:
        place: a list, a file of annotations, or a folder of class folders.
        counts: images of each class; empty for folders, which are counted when they are read.
        first: path of the first picture; empty for folders.
        standing: which copy of a list it is, or how a folder is organised, in words.
    """

    place: Path
    counts: tuple[int, ...] = ()
    first: str = ""
    standing: str = ""


def labels_at(name: str, source: Standard, which: str, place: Path) -> Labels:
    """The labels of the part ``which``, train or test, in a list or a file of annotations.

    Raises:
        UserError: it is not the list that papers use.
    """
    try:
        text = read_annotations(place).lines() if place.suffix == ".json" else place.read_bytes()
    except OSError as error:
        raise UserError(f"{name}: {place} cannot be read: {error.strerror}") from None
    return _checked(name, source, which, place, canonical(text))


def _checked(name: str, source: Standard, which: str, place: Path, text: bytes) -> Labels:
    try:
        lines = text.decode().removesuffix("\n").split("\n")
        sizes = Counter(int(line.rsplit(maxsplit=1)[1]) for line in lines)
    except (ValueError, IndexError):  # a label is not a number, a line has none, or the file is not text
        raise UserError(f"{name}: {place} is not a list of pictures: each line must be `relative/path label`") from None
    expected: ListFile = getattr(source, which).list
    wrong = _wrong(expected, text, len(lines)) or _gaps(sizes, source.classes)
    counts = tuple(size for _, size in sorted(sizes.items()))
    if wrong := wrong or (unlike(counts, source) if which == "train" else ""):
        raise UserError(
            f"{name}: {place} is not the {expected.name} that papers use ({wrong}): download it again ({source.get}), or add "
            "it under another name with `data add`"
        )
    return Labels(place, counts, lines[0].rsplit(maxsplit=1)[0], _standing(expected, text))


def _wrong(expected: ListFile, text: bytes, lines: int) -> str:
    if expected.md5 and md5_of(text) not in expected.md5:
        return f"md5 {md5_of(text)} and {lines:,} lines, expected md5 {' or '.join(expected.md5)} and {expected.images:,} lines"
    return f"{lines:,} lines, expected {expected.images:,}" if lines != expected.images else ""


def _gaps(sizes: Mapping[int, int], classes: int) -> str:
    if len(sizes) != classes:
        return f"{len(sizes):,} classes, expected {classes:,}"
    first, last = min(sizes), max(sizes)
    return f"labels {first:,} to {last:,}, expected 0 to {classes - 1:,}" if (first, last) != (0, classes - 1) else ""


def unlike(counts: Sequence[int], source: Standard) -> str:
    """What is wrong with the ``counts`` of the training classes, in label order; empty if nothing is."""
    if wrong := _gaps(dict(enumerate(counts)), source.classes):
        return wrong
    if source.by_class:
        label = next((c for c, (n, m) in enumerate(zip(counts, source.sizes, strict=True)) if n != m), None)
        return "" if label is None else f"{counts[label]:,} images of class {label}, expected {source.sizes[label]:,}"
    ratio = max(counts) / min(counts)  # compared to two decimals, since of some sets no more are known
    if round(ratio, 2) == round(source.imbalance, 2):
        return ""
    return f"an imbalance factor of {ratio:.2f}, expected {source.imbalance:.2f}"


def _standing(expected: ListFile, text: bytes) -> str:
    if expected.md5:
        return "known md5"
    if not expected.git:
        return "md5 unknown"
    return "the copy found in many repositories" if git_of(text) == expected.git else "not the copy found in many repositories"


def write_list(name: str, annotations: Path, out: Path | None = None) -> Labels:
    """Write the list of a standard set in ImageNet-LT's form, made from a file of annotations.

    Args:
        out: the path of the list, or a folder for it, where it gets its usual name; None: the folder of the annotations.

    Raises:
        UserError: there is no such set, its lists are not made from annotations, the file is not the right one, or the list
            cannot be written.
    """
    source = DATASETS[name].source if name in DATASETS else None
    if not isinstance(source, Standard):
        raise unknown("standard set", name, STANDARD)
    found = read_annotations(annotations)
    parts = {which: part for which in ("train", "test") if (part := getattr(source, which)).annotations}
    if not parts:
        raise UserError(f"{name} comes with lists, which are not made from annotations: {source.get}")
    which = next((which for which, part in parts.items() if part.list.images == len(found.pairs)), "")
    if not which:
        sizes = " or ".join(f"{part.list.images:,} ({part.annotations})" for part in parts.values())
        raise UserError(f"{name}: {annotations} has {counted(len(found.pairs), 'image')}, expected {sizes}: download it again")
    text = found.lines()
    folder = annotations.parent if out is None else out
    place = folder / parts[which].list.name if folder.is_dir() else folder
    labels = _checked(name, source, which, place, text)
    try:
        with replacing(place) as beside:
            beside.write_bytes(text)
    except OSError as error:
        raise UserError(f"{place} cannot be written ({error.strerror}): choose another place with --out") from error
    return replace(labels, place=place)
