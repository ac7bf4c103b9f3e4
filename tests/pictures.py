"""Small trees of pictures, and the same pictures in every layout that a user's own set can have."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(colour: tuple[int, int, int], noise: int, size: tuple[int, int] = (12, 9)) -> bytes:
    """A picture of one colour with noise of its own."""
    pixels = np.random.RandomState(noise).randint(0, 40, (size[1], size[0], 3)) + np.array(colour)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200), (100, 100, 100))


def pictures(counts: tuple[int, ...], start: int = 0) -> list[tuple[str, int, bytes]]:
    """(file name, class, content) of pictures, with ``counts`` of each class."""
    return [
        (f"{label}-{start + number}.png", label, png(COLOURS[label], start + 1000 * label + number))
        for label, count in enumerate(counts)
        for number in range(count)
    ]


def tree(folder: Path, found: list[tuple[str, int, bytes]], names: tuple[str, ...] = ("0", "1", "2", "3")) -> Path:
    """One folder per class, with half of the pictures one folder deeper."""
    for number, (name, label, content) in enumerate(found):
        place = folder / names[label] / ("deep" if number % 2 else "")
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return folder


def listing(file: Path, found: list[tuple[str, int, bytes]], end: str = "\n") -> Path:
    """A list of pictures next to it, one of which is in a folder with a space in its name."""
    lines = []
    for number, (name, label, content) in enumerate(found):
        place = Path("with space" if number == 0 else "flat") / name
        (file.parent / place).parent.mkdir(parents=True, exist_ok=True)
        (file.parent / place).write_bytes(content)
        lines.append(f"{place} {label}")
    file.write_bytes(end.join(lines).encode())
    return file


def _table(found: list[tuple[str, int, bytes]], names: tuple[str, ...] = ()) -> pa.Table:
    cells = [{"bytes": content, "path": name} for name, _, content in found]
    table = pa.table({"image": cells, "label": [label for _, label, _ in found]})
    features = {"info": {"features": {"label": {"names": list(names), "_type": "ClassLabel"}}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(features)})


def parquet(folder: Path, found: list[tuple[str, int, bytes]], part: str = "train", names: tuple[str, ...] = ()) -> Path:
    """Two shards, each of groups of three rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(2):
        file = folder / f"{part}-{shard:05d}-of-00002.parquet"
        pq.write_table(_table(found[shard::2], names), file, row_group_size=3)
    return folder


def saved(folder: Path, found: list[tuple[str, int, bytes]], part: str = "train") -> Path:
    """The pictures as ``DatasetDict.save_to_disk`` writes them."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    table = _table(found)
    with pa.OSFile(str(folder / part / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return folder


def written(kind: str, image: Image.Image, **options: Any) -> bytes:
    """The content of a picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


GREY16 = Image.fromarray(np.full((6, 6), 40_000, np.uint16))
#: Content, colour, and the note that decoding makes.
KINDS = {
    "CMYK": (written("JPEG", Image.new("CMYK", (6, 6), (0, 255, 255, 0))), (255, 0, 0), "CMYK"),
    "16 bits": (written("PNG", GREY16), (156, 156, 156), "16 bits per channel"),
    "animated": (
        written("GIF", Image.new("RGB", (6, 6), (0, 0, 255)), save_all=True, append_images=[Image.new("RGB", (6, 6))]),
        (0, 0, 255), "animated, only the first frame is used",
    ),
    "palette": (written("PNG", Image.new("P", (6, 6), 0)), (0, 0, 0), ""),
    "one pixel": (written("PNG", Image.new("RGB", (1, 1), (9, 8, 7))), (9, 8, 7), ""),
    "a strip": (written("PNG", Image.new("RGB", (3000, 1), (9, 8, 7))), (9, 8, 7), ""),
}  # fmt: skip


def header(width: int, height: int) -> bytes:
    """A PNG of that size without pixels: a few bytes that would fill the memory when decoded."""
    content = bytearray(written("PNG", Image.new("L", (1, 1))))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)
