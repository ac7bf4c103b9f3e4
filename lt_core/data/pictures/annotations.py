"""Labels from a file of annotations in COCO's format: JSON with ``images``, ``annotations`` and ``categories``."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lt_core.cache import cache_dir
from lt_core.data.pictures.files import Files, present
from lt_core.data.pictures.layouts import in_order
from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.whole_files import replacing

_FORM = 1  # version of the cached form; increased when it changes


@dataclass(frozen=True)
class Annotations:
    """``pairs``: (path, category ID) of each image, in the order of the file; ``names``: category ID → name."""

    file: Path
    pairs: tuple[tuple[str, int], ...]
    names: dict[int, str]

    def lines(self) -> bytes:
        """The same as a list of pictures in ImageNet-LT's form, where classes are the categories numbered by ascending ID.

        >>> Annotations(Path("a.json"), (("x.jpg", 7), ("y.jpg", 3)), {3: "elm", 7: "oak", 5: "ash"}).lines()
        b'x.jpg 2\\ny.jpg 0\\n'
        """
        number = {category: label for label, category in enumerate(sorted(self.names))}
        return "".join(f"{path} {number[category]}\n" for path, category in self.pairs).encode()


def read_annotations(file: Path) -> Annotations:
    """The images of a file of annotations, and the one category of each.

    The result is cached under the file's path, size and time: parsing a hundred megabytes of JSON takes seconds and half a
    gigabyte of memory, which would otherwise happen in each process of a run.

    Raises:
        UserError: the file does not have this format, or an image has no category or more than one.
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
    """What an earlier process read from ``file``; None if that is missing or damaged."""
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
    """Write to the cache. A failure is ignored: it only costs the next process some seconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths, categories = zip(*found.pairs, strict=True)
    with suppress(OSError, ValueError, pa.ArrowException):  # a name that is not UTF-8 is reported when its file is looked for
        table = pa.table({"path": paths, "category": pa.array(categories, pa.int64())})
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as beside:
            pq.write_table(table.replace_schema_metadata({"names": json.dumps(found.names)}), beside, compression="zstd")


def _parsed(file: Path) -> Annotations:
    try:
        content: Any = json.loads(file.read_text("utf-8"))
        images = [(image["id"], str(image["file_name"])) for image in content["images"]]
        annotations = [(entry["image_id"], int(entry["category_id"])) for entry in content["annotations"]]
        names = {int(category["id"]): str(category.get("name", category["id"])) for category in content.get("categories", [])}
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"there is no {error}" if isinstance(error, KeyError) else str(error)
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
    """The pictures of a file of annotations; each category with at least one picture is a class.

    Args:
        root: the folder that the paths are relative to; None: that of the file.

    Raises:
        UserError: for the same reasons as in `read_annotations`, or because a picture is missing.
    """
    found, where = read_annotations(file), root or file.parent
    entries = present(file, where, ((path, str(category)) for path, category in found.pairs))
    names = tuple(found.names.get(int(category), category) for category in in_order([entry.label for entry in entries]))
    return Files(where, entries, names)
