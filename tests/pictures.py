"""Small trees of pictures, and the same pictures in every layout that a set of one's own can have."""

from __future__ import annotations

import io
import json
from pathlib import Path

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
    """(file name, class, content) of so many pictures of each class."""
    return [
        (f"{label}-{start + number}.png", label, png(COLOURS[label], start + 1000 * label + number))
        for label, count in enumerate(counts)
        for number in range(count)
    ]


def tree(folder: Path, found: list[tuple[str, int, bytes]], names: tuple[str, ...] = ("0", "1", "2", "3")) -> Path:
    """One folder a class, half of the pictures a folder further down."""
    for number, (name, label, content) in enumerate(found):
        place = folder / names[label] / ("deep" if number % 2 else "")
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return folder


def listing(file: Path, found: list[tuple[str, int, bytes]], end: str = "\n") -> Path:
    """A list of pictures that lie beside it, one of them in a folder with a space in its name."""
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
    """As ``DatasetDict.save_to_disk`` leaves them."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    table = _table(found)
    with pa.OSFile(str(folder / part / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return folder
