"""Sets of pictures that a user has added: one small file each, found by every process of that user.

The file says where the pictures are, at which size they are decoded, and which fingerprint they had when they were added. Its
first digits are the set's version, so that the set is called ``mine@3f2a9c1b`` in specs and rows, as with plug-in files: other
pictures under the same name are another set, with other IDs.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lt_core.errors import UserError
from lt_core.whole_files import replacing

_DIGITS = 8  # number of digits of the fingerprint in names
_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class Definition:
    """A set of pictures, and what was found when it was added.

    Args:
        train, test: a folder, list file or Parquet file; without ``test``, the test set is drawn from the training set.
        validation: the same for the set's own validation split, which does not enter the fingerprint.
        root: the folder that the paths of list files are relative to; empty: the folder of each list.
        size: height and width in pixels at which pictures are decoded.
        test_each: test images of each class, if they are drawn.
        split_seed: the seed with which they are drawn.
        key: folder of the cache with the decoded pictures.
        fingerprint: that of all pictures, labels and the size, sixteen hexadecimal digits.
    """

    name: str
    train: str
    test: str = ""
    root: str = ""
    size: int = 64
    test_each: int = 0
    split_seed: int = 0
    key: str = ""
    fingerprint: str = ""
    class_names: tuple[str, ...] = ()
    train_counts: tuple[int, ...] = ()
    test_count: int = 0
    validation: str = ""

    @property
    def version(self) -> str:
        """The version that follows the set's name in specs and rows."""
        return self.fingerprint[:_DIGITS]

    @classmethod
    def of(cls, values: dict[str, Any]) -> Definition:
        """The inverse of `dataclasses.asdict` after a trip through JSON; keys of later versions of the file are ignored."""
        known = {field.name for field in fields(cls)}
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
        return cls(**kept)


def sets_dir() -> Path:
    """The folder of the files: ``LT_SETS`` if it is set, otherwise one in the user's configuration."""
    if "LT_SETS" in os.environ:
        return Path(os.environ["LT_SETS"]).expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "lt-bench" / "sets"


_lent: dict[str, Definition] = {}


def lend(values: dict[str, Any]) -> None:
    """Make a set known to this process, even if its file is not on this machine: definitions travel with trials."""
    definition = Definition.of(values)
    _lent[definition.name] = definition


def find(name: str) -> Definition | None:
    """The set that was added under ``name``, a name without a version; None if there is none.

    Raises:
        UserError: its file cannot be read.
    """
    if name in _lent:
        return _lent[name]
    if not _NAME.fullmatch(name):
        return None
    path = sets_dir() / f"{name}.json"
    try:
        status = path.stat()
    except OSError:
        return None
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read(path: Path, mtime: int, size: int) -> Definition:
    try:
        return replace(Definition.of(json.loads(path.read_text("utf-8"))), name=path.stem)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} does not define an image set ({error}): write it again with `data add {path.stem}`") from error


def names() -> list[str]:
    """Names of the sets that were added, in alphabetical order."""
    folder = sets_dir()
    files = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
    return list(dict.fromkeys([*files, *_lent]))


def versions() -> set[str]:
    """Versions of the sets that were added."""
    return {definition.version for name in names() if (definition := find(name))}


def write(definition: Definition) -> Path:
    """Store ``definition`` for this user, replacing one of the same name; returns its file.

    Raises:
        UserError: the folder cannot be written.
    """
    path = sets_dir() / f"{definition.name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_text(json.dumps(asdict(definition), indent=1, ensure_ascii=False), "utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): set LT_SETS to a folder that you can write to") from error
    return path


def check_name(name: str) -> None:
    """Raise for an invalid name of a set."""
    if not _NAME.fullmatch(name) or re.search(r"_\d+(v\d+)+$", name):
        raise UserError(
            f"'{name}' is not a valid name for an image set: use letters, digits, '_', '.' and '-', and no ending such as "
            "_3v5, which selects classes"
        )
