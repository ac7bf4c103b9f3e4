from __future__ import annotations

import io
import os
import struct
from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torchvision
from PIL import Image

from lt_core.data import found as found_module
from lt_core.data import images as images_module
from lt_core.data import sources
from lt_core.data.order import fingerprint
from lt_core.data.sets import DATASETS
from lt_core.data.sources import fetch_sets, load_set
from lt_core.errors import UserError


def fake(name, train_each=2, test_each=1):
    """Random images of ``name``, a few per class, in random order: {"train": (images, labels), "test": …}."""
    info, random = DATASETS[name], np.random.RandomState(0)
    parts = {}
    for part, each in (("train", train_each), ("test", test_each)):
        labels = random.permutation(np.repeat(np.arange(info.classes), each))
        parts[part] = random.randint(0, 256, (len(labels), *info.image_shape)).astype(np.uint8), labels
    return parts


@pytest.fixture(autouse=True)
def of_any_size(request, monkeypatch):
    """Lets fakes replace the published sets, except in tests of their rejection."""
    if not request.node.name.startswith("test_a_set_that_is_not_the_published_one"):
        monkeypatch.setattr(found_module, "hold_against_published", lambda info, found, place: None)


def png(image):
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return file.getvalue()


def transparent(image):
    file = io.BytesIO()
    Image.fromarray(np.dstack([image, np.full(image.shape[:2], 100, np.uint8)])).save(file, "PNG")
    return file.getvalue()


def write_parquet(folder, parts, image="image", label="label", shards=1, nested=True, extra=None):
    folder.mkdir(parents=True)
    for part, (images, labels) in parts.items():
        for shard in range(shards):
            mine = range(shard, len(labels), shards)
            cells = [{"bytes": png(images[i]), "path": None} if nested else png(images[i]) for i in mine]
            columns = {image: cells, label: [int(labels[i]) for i in mine]}
            columns |= {name: [value] * len(cells) for name, value in (extra or {}).items()}
            pq.write_table(pa.table(columns), folder / f"{part}-{shard:05}-of-{shards:05}.parquet")


def write_idx(root, parts):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = parts[part]
        head = struct.pack(">IIII", 2051, len(images), 28, 28)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 2049, len(labels)) + labels.astype(np.uint8).tobytes()
        )


def write_tree(folder, parts, names):
    for part, (images, labels) in parts.items():
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / part / names[label]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(png(image))


def check(found, parts):
    """Check that ``found`` has exactly these images with these labels, sorted by label."""
    for part, images, labels in (
        ("train", found.train_images, found.train_labels),
        ("test", found.test_images, found.test_labels),
    ):
        assert labels.tolist() == sorted(labels.tolist())
        pairs = {(int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)}
        assert pairs == {(int(label), image.tobytes()) for image, label in zip(*parts[part], strict=True)}
        assert len(pairs) == len(labels)


@pytest.fixture
def no_download(monkeypatch):
    """Makes a test fail that would use the network."""

    def refuse(*args, **kwargs):
        raise AssertionError("torchvision was asked for a set that is here")

    for name in ("MNIST", "FashionMNIST", "CIFAR10", "CIFAR100"):
        monkeypatch.setattr(torchvision.datasets, name, refuse)


def test_mnist_is_the_same_in_every_layout(tmp_path):
    parts = fake("mnist")
    write_parquet(tmp_path / "hub" / "mnist" / "mnist", parts)
    write_parquet(tmp_path / "shards" / "ylecun___mnist", parts, "img", "target", shards=3, nested=False)
    write_idx(tmp_path / "raw", parts)
    write_idx(tmp_path / "inside" / "mnist", parts)
    write_tree(tmp_path / "tree" / "MNIST", parts, DATASETS["mnist"].class_names)
    places = ["hub", "shards", "raw", "inside", "tree", "hub/mnist", "raw/MNIST", "tree/MNIST"]
    found = [load_set("mnist", str(tmp_path / place)) for place in places]
    check(found[0], parts)
    for other in found[1:]:
        assert other.fingerprint == found[0].fingerprint
        assert np.array_equal(other.train_images, found[0].train_images)
        assert np.array_equal(other.test_labels, found[0].test_labels)


@pytest.mark.usefixtures("no_download")
def test_cifar10_is_the_same_in_every_layout(tmp_path):
    parts, info = fake("cifar10"), DATASETS["cifar10"]
    for place, names in (("hub", ("img", "label")), ("pixels", ("pixels", "labels")), ("images", ("images", "class"))):
        write_parquet(tmp_path / place / "cifar10" / "plain_text", parts, *names)
    write_tree(tmp_path / "names" / "cifar-10", parts, info.class_names)
    write_tree(tmp_path / "numbers" / "CIFAR10", parts, [str(i) for i in range(10)])
    found = [load_set("cifar10", str(tmp_path / place)) for place in ("hub", "pixels", "images", "names", "numbers")]
    check(found[0], parts)
    assert {f.fingerprint for f in found} == {found[0].fingerprint}


@pytest.mark.usefixtures("no_download")
def test_cifar100_takes_the_fine_label(tmp_path):
    parts = fake("cifar100", 1, 1)
    write_parquet(tmp_path / "cifar100" / "cifar100", parts, "img", "fine_label", extra={"coarse_label": 3, "label": 4})
    check(load_set("cifar100", str(tmp_path)), parts)


@pytest.mark.usefixtures("no_download")
def test_numbered_class_folders_are_in_the_order_of_their_numbers(tmp_path):
    """The order is not 0, 1, 10, 11, …, which would make other classes the tail."""
    parts = fake("cifar100", 1, 1)
    write_tree(tmp_path / "cifar100", parts, [str(i) for i in range(100)])
    check(load_set("cifar100", str(tmp_path)), parts)


@pytest.mark.usefixtures("no_download")
def test_a_class_folder_that_cannot_be_placed_is_named(tmp_path):
    names = list(DATASETS["cifar10"].class_names)
    names[0] = "plane"
    write_tree(tmp_path / "cifar10", fake("cifar10"), names)
    with pytest.raises(UserError, match="plane"):
        load_set("cifar10", str(tmp_path))


@pytest.mark.usefixtures("no_download")
def test_other_images_have_another_fingerprint(tmp_path):
    parts = fake("cifar10")
    write_parquet(tmp_path / "a" / "cifar10", parts)
    images = parts["test"][0].copy()
    images[0, 0, 0, 0] ^= 1
    write_parquet(tmp_path / "b" / "cifar10", {**parts, "test": (images, parts["test"][1])})
    a, b = (load_set("cifar10", str(tmp_path / place)) for place in "ab")
    assert a.fingerprint != b.fingerprint


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A fake CIFAR-10 that is not decoded yet, with a cache of its own."""
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    write_parquet(tmp_path / "data" / "cifar10", fake("cifar10"))
    load_set.cache_clear()  # as in a fresh process
    yield str(tmp_path / "data")
    load_set.cache_clear()


def test_several_sets_are_fetched_once_each(monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "load_set", lambda *args: asked.append(args))
    fetch_sets(["mnist", "digits", "mnist"], "data")
    assert asked == [("mnist", "data"), ("digits", "data")]


def test_a_set_is_decoded_once(cifar, monkeypatch):
    first = load_set("cifar10", cifar)
    load_set.cache_clear()
    monkeypatch.setattr(found_module, "rows", lambda file: pytest.fail("decoded again"))
    again = load_set("cifar10", cifar)
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.train_images, first.train_images)
    assert isinstance(again.train_images, np.memmap)  # shared by the processes of a machine


def test_a_changed_pixel_or_label_in_the_cache_is_found_and_the_set_made_anew(cifar, tmp_path):
    first = load_set("cifar10", cifar)
    (folder,) = (tmp_path / "cache").glob("cifar10*")
    for array, place in (("train_images", -200), ("train_labels", -1), ("test_images", 1000), ("test_labels", -8)):
        file = folder / f"{array}.npy"
        content = bytearray(file.read_bytes())
        content[place] ^= 1
        file.write_bytes(content)
        load_set.cache_clear()  # as in a fresh process
        with pytest.warns(UserWarning, match=f"the decoded images in {folder} are damaged .* and are decoded again") as told:
            again = load_set("cifar10", cifar)
        assert len(told) == 1
        assert again.fingerprint == first.fingerprint == fingerprint(*(getattr(again, name) for name in images_module._ARRAYS))
        load_set.cache_clear()
        assert load_set("cifar10", cifar).fingerprint == first.fingerprint  # the cache is complete again


def test_a_process_holds_the_cache_against_its_fingerprint_once(cifar, monkeypatch):
    load_set("cifar10", cifar)
    monkeypatch.setattr(images_module, "fingerprint", lambda *arrays: pytest.fail("hashed again"))
    load_set.cache_clear()
    load_set("cifar10", cifar)


def test_changed_files_are_decoded_again(cifar, tmp_path):
    first = load_set("cifar10", cifar)
    load_set.cache_clear()
    for file in (tmp_path / "data" / "cifar10").iterdir():
        file.unlink()
    (tmp_path / "data" / "cifar10").rmdir()
    write_parquet(tmp_path / "data" / "cifar10", fake("cifar10", 3, 1))
    assert load_set("cifar10", cifar).fingerprint != first.fingerprint


def test_a_file_of_the_same_size_written_later_is_decoded_again(cifar, tmp_path, monkeypatch):
    load_set("cifar10", cifar)
    load_set.cache_clear()
    shard = next((tmp_path / "data" / "cifar10").glob("train*"))
    os.utime(shard, ns=(0, shard.stat().st_mtime_ns + 1000))
    read, real = [], found_module.rows
    monkeypatch.setattr(found_module, "rows", lambda file: read.append(file) or real(file))
    load_set("cifar10", cifar)
    assert shard in read


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("meta.json", ""),
        ("meta.json", "{}"),
        ("train_images.npy", ""),
        ("test_labels.npy", "torn"),
        ("train_labels.npy", None),
    ],
)
def test_a_damaged_cache_is_made_anew(cifar, tmp_path, monkeypatch, file, content):
    first = load_set("cifar10", cifar)
    load_set.cache_clear()
    (damaged,) = (tmp_path / "cache").glob("cifar10-*")
    (damaged / file).unlink()
    if content is not None:
        (damaged / file).write_text(content)
    assert load_set("cifar10", cifar).fingerprint == first.fingerprint
    load_set.cache_clear()
    monkeypatch.setattr(found_module, "rows", lambda file: pytest.fail("the cache was not mended"))
    assert load_set("cifar10", cifar).fingerprint == first.fingerprint


def test_a_cache_that_cannot_be_written_costs_only_a_warning(cifar, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="images are not cached"):
        assert len(load_set("cifar10", cifar).train_labels) == 20


@pytest.mark.usefixtures("no_download")
@pytest.mark.parametrize("size", [0, 100, 2000])
def test_a_corrupt_shard_is_one_clear_error(tmp_path, size):
    folder = tmp_path / "cifar10"
    write_parquet(folder, fake("cifar10"))
    shard = next(folder.glob("train*"))
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(UserError, match="cannot be read") as error:
        load_set("cifar10", str(tmp_path))
    assert str(folder) in str(error.value) and "download it again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_download")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "jpeg"}, "needs an image column"),
        ({"label": "kind"}, "needs an image column .* and a label column"),
    ],
)
def test_unknown_columns_are_listed(tmp_path, change, words):
    write_parquet(tmp_path / "cifar10", fake("cifar10"), **change)
    with pytest.raises(UserError, match=words) as error:
        load_set("cifar10", str(tmp_path))
    assert next(iter(change.values())) in str(error.value)


@pytest.mark.usefixtures("no_download")
def test_images_and_labels_must_be_those_of_the_set(tmp_path):
    parts = fake("cifar10")
    write_parquet(tmp_path / "shape" / "cifar10", {k: (v[0][:, :28, :28], v[1]) for k, v in parts.items()})
    write_parquet(tmp_path / "range" / "cifar10", {k: (v[0], v[1] + 1) for k, v in parts.items()})
    write_parquet(tmp_path / "absent" / "cifar10", {k: (v[0], np.minimum(v[1], 8)) for k, v in parts.items()})
    for place, words in (("shape", "28 × 28 pixels"), ("range", "are 0 to 9"), ("absent", "no image of class 9")):
        with pytest.raises(UserError, match=words):
            load_set("cifar10", str(tmp_path / place))


@pytest.mark.parametrize("error", [URLError("no route to host"), RuntimeError("Error downloading"), TimeoutError()])
def test_offline_the_error_says_what_was_sought_where_and_what_helps(tmp_path, monkeypatch, error):
    def fail(root, train, download):
        assert download
        raise error

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    with pytest.raises(UserError) as raised:
        load_set("cifar10", str(tmp_path))
    text = str(raised.value)
    assert text.startswith(f"cifar10 was not found under {tmp_path}")
    for words in (
        "Parquet",
        "torchvision's folders",
        "train/<class>/",
        "could not be downloaded",
        "put one of these there",
        "--data",
    ):
        assert words in text
    assert "\n" not in text


def test_a_download_is_used(tmp_path, monkeypatch):
    parts, real = fake("mnist"), torchvision.datasets.MNIST

    def mnist(root, train, download=False):
        if download and train:
            write_idx(tmp_path, parts)
        return real(root, train=train)

    monkeypatch.setattr(torchvision.datasets, "MNIST", mnist)
    check(load_set("mnist", str(tmp_path)), parts)


def test_a_data_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    for given in (str(tmp_path / "nowhere"), None):
        monkeypatch.setenv("LT_DATA", str(tmp_path / "nowhere"))
        with pytest.raises(UserError, match="nowhere does not exist"):
            load_set("cifar10", given)


def test_digits_come_with_the_code():
    digits, info = load_set("digits"), DATASETS["digits"]
    assert tuple(np.bincount(digits.train_labels)) == info.train_counts
    assert np.bincount(digits.test_labels).tolist() == [50] * 10
    assert digits.train_images.shape[1:] == info.image_shape
    assert (digits.train_images.min(), digits.train_images.max()) == (0, 255)
    assert digits.fingerprint == "82e86efb311708dd"


def test_some_classes_of_a_set_are_a_set_of_their_own():
    whole, pair = load_set("digits"), load_set("digits_9v5")
    for part in ("train", "test"):
        images, labels = getattr(whole, f"{part}_images"), getattr(whole, f"{part}_labels")
        mine, of = getattr(pair, f"{part}_images"), getattr(pair, f"{part}_labels")
        for new, old in enumerate((9, 5)):
            assert np.array_equal(mine[of == new], images[labels == old]), "in the order of the whole set"
    info = DATASETS["digits_9v5"]
    assert info.train_counts == (130, 132) and info.class_names == ("9", "5") and info.classes == 2
    assert info.train_counts == tuple(np.bincount(pair.train_labels))
    assert pair.fingerprint != whole.fingerprint != load_set("digits_5v9").fingerprint
    assert DATASETS["cifar100_3v99v7"].train_counts == (500, 500, 500)
    assert "digits_9v5" in DATASETS and "digits_9v5" not in list(DATASETS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits_3v12", "dataset digits_3v12: the name must list different classes of digits, from 0 to 9"),
        ("digits_3v3", "dataset digits_3v3: the name must list different classes of digits, from 0 to 9"),
        ("digit_3v5", "unknown dataset 'digit_3v5': did you mean 'digits'"),
        ("digits_3", "unknown dataset 'digits_3': did you mean 'digits'"),
        ("digits_03v5", "unknown dataset 'digits_03v5': did you mean 'digits'"),  # a set has only one name
    ],
)
def test_classes_that_there_are_not_are_refused(name, words):
    with pytest.raises(UserError, match=words):
        DATASETS[name]


def test_a_set_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    """It has other numbers of images, or as many but other images. Its rows would be taken for rows of the published set."""
    info = DATASETS["cifar10"]
    write_parquet(tmp_path / "few" / "cifar10", fake("cifar10"))
    with pytest.raises(
        UserError, match=r"20 training and 10 test images, but the published set has 50,000 and 10,000: download it"
    ):
        load_set("cifar10", str(tmp_path / "few"))
    monkeypatch.setitem(DATASETS._items, "cifar10", replace(info, train_counts=(2,) * 10, test_count=10))
    with pytest.raises(UserError, match="as many images as the published set, but different ones"):
        load_set("cifar10", str(tmp_path / "few"))
    parts = fake("cifar10")
    labels = parts["train"][1]
    labels[labels.tolist().index(3)] = 4
    write_parquet(tmp_path / "uneven" / "cifar10", parts)
    with pytest.raises(UserError, match="and the classes have different sizes"):
        load_set("cifar10", str(tmp_path / "uneven"))


@pytest.mark.parametrize(
    ("row", "cell", "label", "words"),
    [
        (3, b"no picture", 0, r"train-00000-of-00001.parquet, row 3: the picture cannot be decoded"),
        (
            4,
            png(np.zeros((28, 32, 3), np.uint8)),
            0,
            r"row 4: the picture has 32 × 28 pixels, but pictures of cifar10 have 32 × 32",
        ),
        (3, transparent(np.zeros((32, 32, 3), np.uint8)), 0, "row 3: the picture has transparent pixels"),
        (5, None, None, "row 5: the label is None, but the classes of cifar10 are 0 to 9"),
        (0, None, "9", "row 0: the label is '9'"),
        (0, None, 0.5, r"row 0: the label is 0\.5"),
        (7, None, 10, "row 7: the label is 10"),
    ],
)
def test_a_row_that_cannot_be_is_named(tmp_path, row, cell, label, words):
    images, labels = fake("cifar10")["train"]
    cells, kind = [png(image) for image in images], int if label is None else type(label)
    cells[row], given = cell or cells[row], [kind(one) for one in labels.tolist()]
    given[row] = label
    folder = tmp_path / "cifar10"
    write_parquet(folder, {"test": fake("cifar10")["test"]})
    pq.write_table(pa.table({"image": cells, "label": given}), folder / "train-00000-of-00001.parquet")
    with pytest.raises(UserError, match=words):
        load_set("cifar10", str(tmp_path))


def test_grey_and_opaque_pictures_are_read_as_colours(tmp_path):
    """Some people compress sets like this, without losing anything."""
    grey = np.full((32, 32), 7, np.uint8)
    parts = fake("cifar10")
    images, labels = parts["train"]
    images[0], images[1] = 7, images[1]
    write_tree(tmp_path / "cifar10", parts, [str(i) for i in range(10)])
    folder = tmp_path / "cifar10" / "train"
    Image.fromarray(grey).save(folder / str(labels[0]) / "0.png")
    Image.fromarray(np.dstack([images[1], np.full((32, 32), 255, np.uint8)])).save(folder / str(labels[1]) / "1.png")
    check(load_set("cifar10", str(tmp_path)), parts)


def test_class_folders_with_a_gap_in_their_numbers_are_refused(tmp_path):
    write_tree(tmp_path / "cifar10", fake("cifar10"), [*map(str, range(9)), "11"])
    with pytest.raises(UserError, match="numbered 0, 1, 2 … 11, with gaps: number them from 0 to 9"):
        load_set("cifar10", str(tmp_path))
