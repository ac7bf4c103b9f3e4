"""Labels in a file of annotations as COCO has them: JSON with ``images``, ``annotations`` and ``categories``."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lt_core.cache import cache_dir
from lt_core.data.pictures.files import Files, present
from lt_core.data.pictures.layouts import in_order
from lt_core.errors import UserError
from lt_core.labels import counted

_FORM = 1  # of what is kept; raised when it changes


@dataclass(frozen=True)
class Annotations:
    """``pairs``: (path, id of the category) of each image, in the order of the file; ``names``: of each category, by its id."""

    file: Path
    pairs: tuple[tuple[str, int], ...]
    names: dict[int, str]

    def lines(self) -> bytes:
        """The list of pictures that the file amounts to, in ImageNet-LT's form: a class is a category's place by ascending id.

        >>> Annotations(Path("a.json"), (("x.jpg", 7), ("y.jpg", 3)), {3: "elm", 7: "oak", 5: "ash"}).lines()
        b'x.jpg 2\\ny.jpg 0\\n'
        """
        number = {category: label for label, category in enumerate(sorted(self.names))}
        return "".join(f"{path} {number[category]}\n" for path, category in self.pairs).encode()


def read_annotations(file: Path) -> Annotations:
    """The images of a file of annotations, and the one category of each.

    What was read is kept in the cache, by the file's place, size and time: a hundred megabytes of JSON take seconds and half a
    gigabyte to go through, which each process of a run would pay.

    Raises:
        UserError: it is no such file; an image has no category, or two.
    """
    try:
        status = file.stat()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    known = hashlib.sha256(f"{_FORM} {file.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    kept = cache_dir() / "annotations" / f"{known}.parquet"
    found = _kept(kept, file)
    if found is None:
        found = _parsed(file)
        _keep(kept, found)
    return found


def _kept(place: Path, file: Path) -> Annotations | None:
    """What an earlier process read of ``file``; None if that is not there whole."""
    if not place.is_file():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(place) as table:
            columns = table.read()
            names = json.loads(columns.schema.metadata[b"names"])
            pairs = zip(columns.column("path").to_pylist(), columns.column("category").to_pylist(), strict=True)
            return Annotations(file, tuple(pairs), {int(number): name for number, name in names.items()})
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def _keep(place: Path, found: Annotations) -> None:
    """A cache that cannot be written costs the next process some seconds, and this one nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths, categories = zip(*found.pairs, strict=True)
    beside = place.with_suffix(f".{os.getpid()}.part")
    with suppress(OSError, ValueError, pa.ArrowException):  # a name that is no UTF-8 is told of where it is looked for
        table = pa.table({"path": paths, "category": pa.array(categories, pa.int64())})
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.replace_schema_metadata({"names": json.dumps(found.names)}), beside, compression="zstd")
        beside.replace(place)


def _parsed(file: Path) -> Annotations:
    try:
        content: Any = json.loads(file.read_text("utf-8"))
        images = [(image["id"], str(image["file_name"])) for image in content["images"]]
        annotations = [(entry["image_id"], int(entry["category_id"])) for entry in content["annotations"]]
        names = {int(category["id"]): str(category.get("name", category["id"])) for category in content.get("categories", [])}
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"nothing is called {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{file} does not contain annotations in COCO format ({why}): it needs images with id "
            "and file_name, and annotations with image_id and category_id"
        ) from None
    category_of: dict[Any, int] = {}
    for image, category in annotations:
        if category_of.setdefault(image, category) != category:
            raise UserError(
                f"{file}: image {image} has the categories {category_of[image]} and {category}, but a picture can have only "
                "one class"
            )
    without = [path for image, path in images if image not in category_of]
    if without or not images:
        what = f"{counted(len(without), 'image')} without a category (first: {without[0]})" if without else "no images"
        raise UserError(f"{file} has {what}: use a file in which each image has a category")
    pairs = tuple((path, category_of[image]) for image, path in images)
    return Annotations(file, pairs, names or {category: str(category) for _, category in pairs})


def annotated(file: Path, root: Path | None = None) -> Files:
    """The pictures of a file of annotations; a class is a category of which there is a picture.

    Args:
        root: what the paths are relative to; None: the folder of the file.

    Raises:
        UserError: as `read_annotations`; a picture is not there.
    """
    found, where = read_annotations(file), root or file.parent
    entries = present(file, where, ((path, str(category)) for path, category in found.pairs))
    names = tuple(found.names.get(int(category), category) for category in in_order([entry.label for entry in entries]))
    return Files(where, entries, names)
