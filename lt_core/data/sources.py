"""Where an image set is found: Parquet shards, torchvision's folders, a folder a class, or a download."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from lt_core.cache import cache_dir
from lt_core.data.images import ImageSet, canonical, make_set, read_cache, write_cache
from lt_core.data.sets import DATASETS, DatasetInfo
from lt_core.errors import UserError, unknown

ImagesAndLabels = tuple[np.ndarray, np.ndarray]  # images uint8 [N, H, W, C], labels [N]
_IMAGE_COLUMNS = ("image", "img", "images", "pixels", "picture")
_LABEL_COLUMNS = ("label", "fine_label", "labels", "target", "class")
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm"}


@lru_cache(maxsize=4)
def load_set(name: str, data_dir: str | None = None) -> ImageSet:
    """The image set ``name``, decoded and in canonical order; from the cache if it was decoded before.

    Looked for under ``data_dir`` (or ``LT_DATA``): Parquet shards in the layout of the Hugging Face hub,
    torchvision's own folders, a tree with one folder a class; else torchvision downloads it into the cache.

    Raises:
        UserError: nothing was found and nothing could be downloaded; says what was looked for and where.
    """
    info = DATASETS[name]
    if info.part_of:
        return _some_classes(info, load_set(DATASETS.versioned(info.part_of), data_dir))
    if info.read:
        return _made(info, name)
    if not info.aliases:
        return _digits(name)
    root = Path(data_dir or os.environ.get("LT_DATA") or cache_dir() / "downloads").expanduser().resolve()
    if (data_dir or "LT_DATA" in os.environ) and not root.is_dir():
        raise UserError(f"the data folder {root} does not exist: give --data (or LT_DATA) a folder that holds {name}")
    for find, read in ((_find_parquet, _read_parquet), (_find_torchvision, _read_torchvision), (_find_tree, _read_tree)):
        files = find(root, info)
        if files:
            return _decode_once(info, files, read)
    return _download(info, root)


def fetch_sets(names: Iterable[str], data_dir: str | None = None) -> None:
    """Find, download or decode each of the sets now, once, before workers would each do it.

    Raises:
        UserError: as `load_set`.
    """
    for name in dict.fromkeys(names):
        load_set(name, data_dir)


def _some_classes(info: DatasetInfo, whole: ImageSet) -> ImageSet:
    def part(images: np.ndarray, labels: np.ndarray) -> ImagesAndLabels:
        chosen = np.isin(labels, info.labels)
        return images[chosen], np.array([info.labels.index(label) for label in labels[chosen]])

    return make_set(info.name, part(whole.train_images, whole.train_labels), part(whole.test_images, whole.test_labels))


def _made(info: DatasetInfo, name: str) -> ImageSet:
    """A set that code makes; not kept on disk, since nothing says whether the code would make it again alike."""
    try:
        assert info.read is not None
        return make_set(name, *info.read())
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"dataset {info.name} cannot be made ({type(error).__name__}: {_reason(error)}): mend its read()"
        ) from error


def _decode_once(
    info: DatasetInfo, files: list[Path], read: Callable[[DatasetInfo, list[Path]], tuple[ImagesAndLabels, ImagesAndLabels]]
) -> ImageSet:
    key = hashlib.sha256("\n".join(f"{f} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files).encode()).hexdigest()[:12]
    folder = cache_dir() / f"{DATASETS.versioned(info.name)}-{key}"
    cached = read_cache(folder, info.name)
    if cached is None:
        try:
            made = make_set(info.name, *read(info, files))
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"{info.name}: {files[0].parent} holds the set but cannot be read ({error}): fetch it again"
            ) from error
        write_cache(folder, made)
        cached = read_cache(folder, info.name) or made
    return cached


def _digits(name: str) -> ImageSet:
    """scikit-learn's digits, grey levels 0…16 stretched to 0…255; 50 images a class are the test part."""
    cached = read_cache(cache_dir() / name, name)
    if cached is not None:
        return cached
    from sklearn.datasets import load_digits

    raw = load_digits()
    images, labels = canonical((raw.images * 255 / 16).round().astype(np.uint8)[..., None], raw.target)
    # In canonical order a class's images lie by the hash of their pixels: its first 50 are a fixed random draw.
    place = np.concatenate([np.arange(n) for n in np.bincount(labels)])
    test = place < 50
    made = make_set(name, (images[~test], labels[~test]), (images[test], labels[test]))
    write_cache(cache_dir() / name, made)
    return made


# Parquet shards ---------------------------------------------------------------------------------


def _places(root: Path, info: DatasetInfo) -> Iterator[Path]:
    """Folders that may hold the set: named after it, under or as the data folder."""
    for folder in [root / alias for alias in info.aliases] + ([root] if root.name in info.aliases else []):
        if folder.is_dir():
            yield folder


def _find_parquet(root: Path, info: DatasetInfo) -> list[Path]:
    for folder in _places(root, info):
        shards = sorted(folder.rglob("*.parquet"))
        train, test = ([s for s in shards if re.match(rf"{p}\b", s.name)] for p in ("train", "test"))
        if train and test:
            return train + test
    return []


def _read_parquet(info: DatasetInfo, files: list[Path]) -> tuple[ImagesAndLabels, ImagesAndLabels]:
    def part(prefix: str) -> ImagesAndLabels:
        return _stack(info, (pair for file in files if file.name.startswith(prefix) for pair in _rows(file)))

    return part("train"), part("test")


def _rows(file: Path) -> Iterator[tuple[bytes, int]]:
    import pyarrow.parquet as pq

    columns = pq.read_schema(file).names
    image = next((c for c in _IMAGE_COLUMNS if c in columns), None)
    # CIFAR-100's hub files hold a fine and a coarse label: the fine one is the class.
    label = "fine_label" if "fine_label" in columns else next((c for c in _LABEL_COLUMNS if c in columns), None)
    if image is None or label is None:
        raise UserError(f"{file}: needs an image column (one of {', '.join(_IMAGE_COLUMNS)}) and a label column; has {columns}")
    with pq.ParquetFile(file) as shard:
        for batch in shard.iter_batches(2048, columns=[image, label]):
            for cell, value in zip(batch.column(0), batch.column(1), strict=True):
                content = cell.as_py()
                yield (content["bytes"] if isinstance(content, dict) else content), value.as_py()


def _stack(info: DatasetInfo, pairs: Iterable[tuple[bytes | Path, int]]) -> ImagesAndLabels:
    from PIL import Image

    mode = "L" if info.image_shape[2] == 1 else "RGB"
    images, labels = [], []
    for source, label in pairs:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            images.append(np.asarray(picture.convert(mode)).reshape(picture.height, picture.width, -1))
        labels.append(label)
    return np.stack(images), np.asarray(labels)


# torchvision's own folders ----------------------------------------------------------------------

_TORCHVISION_FILES = {
    "MNIST": "MNIST/raw/*ubyte*",
    "FashionMNIST": "FashionMNIST/raw/*ubyte*",
    "CIFAR10": "cifar-10-batches-py/*_batch*",
    "CIFAR100": "cifar-100-python/t*",
}


def _find_torchvision(root: Path, info: DatasetInfo) -> list[Path]:
    if not info.torchvision:
        return []
    for base in (root, *_places(root, info), *([root.parent] if root.name in info.aliases else [])):
        files = sorted(base.glob(_TORCHVISION_FILES[info.torchvision]))
        if files:
            return files
    return []


def _read_torchvision(info: DatasetInfo, files: list[Path]) -> tuple[ImagesAndLabels, ImagesAndLabels]:
    import torchvision

    depth = _TORCHVISION_FILES[info.torchvision].count("/")
    root = files[0].parents[depth]
    return tuple(_arrays(getattr(torchvision.datasets, info.torchvision)(str(root), train=t)) for t in (True, False))  # type: ignore[return-value]


def _arrays(dataset: object) -> ImagesAndLabels:
    images = np.asarray(dataset.data)  # type: ignore[attr-defined]
    return images.reshape(*images.shape[:3], -1), np.asarray(dataset.targets)  # type: ignore[attr-defined]


# One folder a class -----------------------------------------------------------------------------


def _find_tree(root: Path, info: DatasetInfo) -> list[Path]:
    for folder in _places(root, info):
        files = [sorted(f for f in (folder / p).glob("*/*") if f.suffix.lower() in _PICTURES) for p in ("train", "test")]
        if all(files):
            return files[0] + files[1]
    return []


def _read_tree(info: DatasetInfo, files: list[Path]) -> tuple[ImagesAndLabels, ImagesAndLabels]:
    folders = sorted({f.parent.name for f in files})
    if len(folders) != info.classes:
        raise UserError(f"{files[0].parents[1]}: {len(folders)} class folders, {info.name} has {info.classes} classes")
    labels = _class_labels(info, folders, str(files[0].parents[1]))

    def part(which: str) -> ImagesAndLabels:
        return _stack(info, ((f, labels[f.parent.name]) for f in files if f.parents[1].name == which))

    return part("train"), part("test")


def _class_labels(info: DatasetInfo, folders: list[str], place: str) -> dict[str, int]:
    """The label of each class folder: by its number, by its name where the set's names are known, else by alphabet."""
    if all(folder.isdecimal() for folder in folders):
        folders = sorted(folders, key=int)
    elif info.class_names:
        names = [name.replace("/", "_") for name in info.class_names]
        for folder in folders:
            if folder not in names:
                raise unknown("class folder", folder, names, place)
        folders = names
    return {folder: label for label, folder in enumerate(folders)}


# Download ---------------------------------------------------------------------------------------


def _download(info: DatasetInfo, root: Path) -> ImageSet:
    import torchvision

    try:
        if not info.torchvision:
            raise OSError("no download is known")
        for train in (True, False):
            getattr(torchvision.datasets, info.torchvision)(str(root), train=train, download=True)
    except (OSError, RuntimeError, tarfile.TarError, pickle.UnpicklingError) as error:
        places = ", ".join(info.aliases)
        raise UserError(
            f"{info.name} was not found under {root} (looked for Parquet shards train*/test*.parquet, torchvision's folders, and "
            f"train/<class>/ and test/<class>/ pictures, in {places}) and could not be downloaded ({_reason(error)}): put one of "
            f"them there, or point --data (or LT_DATA) at a folder that has it"
        ) from error
    return _decode_once(info, _find_torchvision(root, info), _read_torchvision)


def _reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:") if str(error).strip() else type(error).__name__
