"""Image sets that are found in folders (Parquet shards, torchvision's files, or one folder per class) or downloaded."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from lt_core.cache import cache_dir, data_root
from lt_core.data.images import ImageSet, make_set, read_cache, write_cache
from lt_core.data.pictures.tables import rows
from lt_core.data.sets import DATASETS, DatasetInfo, Found
from lt_core.errors import UserError, unknown

ImagesAndLabels = tuple[np.ndarray, np.ndarray]  # images uint8 [N, H, W, C], labels [N]
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm"}


def find_set(info: DatasetInfo, source: Found, data_dir: str | None) -> ImageSet:
    """The set, decoded and in canonical order; from the cache if it has been decoded before.

    Raises:
        UserError: nothing was found and nothing could be downloaded; the message says what was looked for and where.
    """
    root = data_root(data_dir, info.name)
    for find, read in ((_find_parquet, _read_parquet), (_find_torchvision, _read_torchvision), (_find_tree, _read_tree)):
        files = find(root, source)
        if files:
            return _decode_once(info, files, read)
    return _download(info, source, root)


def _decode_once(
    info: DatasetInfo, files: list[Path], read: Callable[[DatasetInfo, list[Path]], tuple[ImagesAndLabels, ImagesAndLabels]]
) -> ImageSet:
    key = hashlib.sha256("\n".join(f"{f} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files).encode()).hexdigest()[:12]
    folder = cache_dir() / f"{DATASETS.versioned(info.name)}-{key}"
    cached = read_cache(folder, info.name)
    if cached is None:
        try:
            made = make_set(info.name, *read(info, files))
            hold_against_published(info, made, files[0].parent)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"{info.name}: {files[0].parent} contains the set but cannot be read ({error}): download it again"
            ) from error
        write_cache(folder, made)
        cached = read_cache(folder, info.name) or made
    return cached


def hold_against_published(info: DatasetInfo, found: ImageSet, place: Path) -> None:
    """Raise unless ``found`` is the published set: under its name, rows that were measured on other images would mislead."""
    assert isinstance(info.source, Found)
    own = "download it again, or add your own images under another name with `data add`"
    counts = tuple(np.bincount(found.train_labels, minlength=info.classes).tolist())
    tested = len(found.test_labels)
    if (counts, tested) != (info.train_counts, info.test_count):
        raise UserError(
            f"{info.name}: {place} holds {sum(counts):,} training and {tested:,} test images, but the published set has "
            f"{sum(info.train_counts):,} and {info.test_count:,}"
            + (", and the classes have different sizes" if sum(counts) == sum(info.train_counts) else "")
            + f": {own}"
        )
    if info.source.fingerprint and found.fingerprint != info.source.fingerprint:
        raise UserError(f"{info.name}: {place} contains as many images as the published set, but different ones: {own}")


# Parquet shards ---------------------------------------------------------------------------------


def _places(root: Path, source: Found) -> Iterator[Path]:
    """Folders that may hold the set: those named after it in the data folder, or the data folder itself."""
    for folder in [root / alias for alias in source.aliases] + ([root] if root.name in source.aliases else []):
        if folder.is_dir():
            yield folder


def _find_parquet(root: Path, source: Found) -> list[Path]:
    for folder in _places(root, source):
        shards = sorted(folder.rglob("*.parquet"))
        train, test = ([s for s in shards if re.match(rf"{p}\b", s.name)] for p in ("train", "test"))
        if train and test:
            return train + test
    return []


def _read_parquet(info: DatasetInfo, files: list[Path]) -> tuple[ImagesAndLabels, ImagesAndLabels]:
    def part(prefix: str) -> ImagesAndLabels:
        shards = (file for file in files if file.name.startswith(prefix))
        return _stack(
            info,
            ((f"{shard}, row {row}", content, label) for shard in shards for row, (content, label) in enumerate(rows(shard))),
        )

    return part("train"), part("test")


def _stack(info: DatasetInfo, pictures: Iterable[tuple[str, bytes | Path, object]]) -> ImagesAndLabels:
    """Images and labels of ``pictures``, each given as its place in words, its content or file, and its label."""
    images, labels = [], []
    for place, content, label in pictures:
        if not isinstance(label, int) or not 0 <= label < info.classes:
            raise UserError(f"{place}: the label is {label!r}, but the classes of {info.name} are 0 to {info.classes - 1}")
        images.append(_decoded(info, place, content))
        labels.append(label)
    return np.stack(images), np.asarray(labels)


def _decoded(info: DatasetInfo, place: str, content: bytes | Path) -> np.ndarray:
    """A picture: uint8 [height, width, channels].

    Raises:
        UserError: it cannot be decoded, has another size than the set's pictures, or has transparent pixels.
    """
    from PIL import Image

    height, width, channels = info.image_shape
    try:  # for some damaged files Pillow raises SyntaxError
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as picture:
            alpha = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
            if alpha and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
                raise UserError(
                    f"{place}: the picture has transparent pixels, which pictures of {info.name} do not: download it again"
                )
            image = np.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(picture.height, picture.width, -1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{place}: the picture cannot be decoded ({reason(error)}): download {info.name} again") from None
    if image.shape != info.image_shape:
        size = f"{image.shape[1]} × {image.shape[0]}"
        raise UserError(f"{place}: the picture has {size} pixels, but pictures of {info.name} have {width} × {height}")
    return image


# torchvision's own folders ----------------------------------------------------------------------

_TORCHVISION_FILES = {
    "MNIST": "MNIST/raw/*ubyte*",
    "FashionMNIST": "FashionMNIST/raw/*ubyte*",
    "CIFAR10": "cifar-10-batches-py/*_batch*",
    "CIFAR100": "cifar-100-python/t*",
}


def _find_torchvision(root: Path, source: Found) -> list[Path]:
    if not source.torchvision:
        return []
    for base in (root, *_places(root, source), *([root.parent] if root.name in source.aliases else [])):
        files = sorted(base.glob(_TORCHVISION_FILES[source.torchvision]))
        if files:
            return files
    return []


def _read_torchvision(info: DatasetInfo, files: list[Path]) -> tuple[ImagesAndLabels, ImagesAndLabels]:
    import torchvision

    name = info.source.torchvision  # type: ignore[union-attr]
    root = files[0].parents[_TORCHVISION_FILES[name].count("/")]
    return tuple(_arrays(getattr(torchvision.datasets, name)(str(root), train=t)) for t in (True, False))  # type: ignore[return-value]


def _arrays(dataset: object) -> ImagesAndLabels:
    images = np.asarray(dataset.data)  # type: ignore[attr-defined]
    return images.reshape(*images.shape[:3], -1), np.asarray(dataset.targets)  # type: ignore[attr-defined]


# One folder per class -----------------------------------------------------------------------------


def _find_tree(root: Path, source: Found) -> list[Path]:
    for folder in _places(root, source):
        files = [sorted(f for f in (folder / p).glob("*/*") if f.suffix.lower() in _PICTURES) for p in ("train", "test")]
        if all(files):
            return files[0] + files[1]
    return []


def _read_tree(info: DatasetInfo, files: list[Path]) -> tuple[ImagesAndLabels, ImagesAndLabels]:
    folders = sorted({f.parent.name for f in files})
    if len(folders) != info.classes:
        raise UserError(f"{files[0].parents[1]}: {len(folders)} class folders, but {info.name} has {info.classes} classes")
    labels = _class_labels(info, folders, str(files[0].parents[1]))

    def part(which: str) -> ImagesAndLabels:
        return _stack(info, ((str(f), f, labels[f.parent.name]) for f in files if f.parents[1].name == which))

    return part("train"), part("test")


def _class_labels(info: DatasetInfo, folders: list[str], place: str) -> dict[str, int]:
    """The label of each class folder: by its number, by its name if the set's class names are known, else alphabetically."""
    if all(folder.isdecimal() for folder in folders):
        folders = sorted(folders, key=int)
        if [int(folder) for folder in folders] not in ([*range(len(folders))], [*range(1, len(folders) + 1)]):
            raise UserError(
                f"{place}: the class folders are numbered {', '.join(folders[:3])} … {folders[-1]}, with gaps: number them "
                f"from 0 to {len(folders) - 1}, or use the class names"
            )
    elif info.class_names:
        names = [name.replace("/", "_") for name in info.class_names]
        for folder in folders:
            if folder not in names:
                raise unknown("class folder", folder, names, place)
        folders = names
    return {folder: label for label, folder in enumerate(folders)}


# Download ---------------------------------------------------------------------------------------


def _download(info: DatasetInfo, source: Found, root: Path) -> ImageSet:
    import torchvision

    try:
        if not source.torchvision:
            raise OSError("no source for a download is known")
        for train in (True, False):
            getattr(torchvision.datasets, source.torchvision)(str(root), train=train, download=True)
    except (OSError, RuntimeError, tarfile.TarError, pickle.UnpicklingError) as error:
        places = ", ".join(source.aliases)
        raise UserError(
            f"{info.name} was not found under {root} (looked for Parquet shards train*/test*.parquet, torchvision's folders, "
            f"and train/<class>/ and test/<class>/ pictures, in {places}) and could not be downloaded ({reason(error)}): put "
            "one of these there, or set --data (or LT_DATA) to a folder that contains it"
        ) from error
    return _decode_once(info, _find_torchvision(root, source), _read_torchvision)


def reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:") if str(error).strip() else type(error).__name__
