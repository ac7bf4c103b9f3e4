"""A large set used in papers, as known before any file is read: its sizes, its lists, and where to get them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

#: Where the lists are that the benchmark has.
LISTS = Path(__file__).parent / "lists"


@dataclass(frozen=True)
class ListFile:
    """A published list of pictures, with one line ``relative/path label`` per picture.

    Args:
        name: of the file.
        images: lines that it has.
        md5: of the copies that were read, one for each layout of folders, after `canonical`.
        git: name of the file's content in git repositories, of a list that many of them have and that could not be read.
        shipped: the benchmark has the list (`LISTS`), so that nobody else need have it.
    """

    name: str
    images: int
    md5: tuple[str, ...] = ()
    git: str = ""
    shipped: bool = False

    @property
    def known(self) -> str:
        """What a copy is held against."""
        if self.md5:
            return f"md5 {' or '.join(self.md5)}"
        return f"lines and classes{f', git {self.git}' if self.git else ''}"


@dataclass(frozen=True)
class Part:
    """Where the labels of a part of a set stand: in a list, else in a file of annotations, else in the names of folders; or in
    the set's own layout.

    Args:
        annotations: name of a file as of COCO that the list is made of.
        folders: pattern of class folders, such as ``train/n*``.
        tree: a file or folder by which a layout of the set's own is known (`lt_core.data.pictures.trees`), and behind ``#`` what
            the class is; the list then has no name.
    """

    list: ListFile
    annotations: str = ""
    folders: str = ""
    tree: str = ""


@dataclass(frozen=True)
class Standard:
    """A set that is found by its lists in a folder of the user's.

    Args:
        title: as papers call it.
        sizes: images of each class of the training set, or those of the largest and of the smallest alone.
        train, test: its parts.
        validation: the list of a part of its own for validation, as many of each class, where there is one.
        tests: what the test set is, in words.
        pictures: what the folder with the pictures looks like.
        get: where both are to be had.
        size: height and width at which pictures are decoded.
        class_names: of each class, where they are known.
        imagenet: what networks that were trained on ImageNet have seen of it, behind "on ImageNet, "; empty: nothing of its own.
    """

    title: str
    classes: int
    sizes: tuple[int, ...]
    train: Part
    test: Part
    tests: str
    pictures: str
    get: str
    validation: Part | None = None
    size: int = 224
    class_names: tuple[str, ...] = ()
    imagenet: str = ""

    @property
    def by_class(self) -> bool:
        """Whether the size of each class is known before its list is read."""
        return len(self.sizes) == self.classes

    @property
    def imbalance(self) -> float:
        """Largest class over smallest."""
        return max(self.sizes) / min(self.sizes)

    @property
    def validation_each(self) -> int:
        """Images of each class in its own validation part; 0 if it has none."""
        return self.validation.list.images // self.classes if self.validation else 0

    @property
    def train_counts(self) -> tuple[int, ...]:
        """Images of each class. Where they are not known: as many classes and images in all, the first as large as the largest,
        the last as small as the smallest and the others alike, which is all that a plan needs.

        >>> Standard("", 4, (9, 1), Part(ListFile("", 21)), Part(ListFile("", 4)), "", "", "").train_counts
        (9, 6, 5, 1)
        """
        if self.by_class:
            return self.sizes
        each, more = divmod(self.train.list.images - sum(self.sizes), self.classes - 2)
        return self.sizes[0], *(each + (rank < more) for rank in range(self.classes - 2)), self.sizes[1]

    @property
    def about(self) -> str:
        """A line for listings."""
        sizes = f"{self.classes:,} classes, imbalance factor {round(self.imbalance, 2):g}"
        images = f"{self.train.list.images:,} training and {self.test.list.images:,} test images"
        return f"{self.title}: {sizes}, {images} at {self.size} pixels"


def canonical(text: bytes) -> bytes:
    """The content of a list with LF at the end of each line, and one at the end of the file: with it all copies of a list agree.

    >>> canonical(b"a.jpg 0\\r\\nb.jpg 1") == canonical(b"a.jpg 0\\nb.jpg 1\\n\\n") == b"a.jpg 0\\nb.jpg 1\\n"
    True
    """
    return text.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"


def md5_of(text: bytes) -> str:
    """MD5 of a list, after `canonical`."""
    return hashlib.md5(canonical(text), usedforsecurity=False).hexdigest()


def git_of(text: bytes) -> str:
    """What git calls a file of this content: SHA-1 of ``blob``, its length and the content.

    >>> git_of(b"hello\\n")
    'ce013625030ba8dba906f756967f9e9ca394464a'
    """
    return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
