"""The large sets that papers name: their registered facts, and how they are found in small trees in the usual layouts."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from lt_core.data.pictures import annotations
from lt_core.data.pictures.added import add_set
from lt_core.data.pictures.lists import write_list
from lt_core.data.pictures.making import telling
from lt_core.data.pictures.standard import decoded, key_at, located, made, standard
from lt_core.data.pictures.verify import verify_set
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.data.standard import LISTS, ListFile, Part, canonical, git_of, md5_of
from lt_core.data.standard_sets import STANDARD
from lt_core.data.trial_images import draw_images
from lt_core.errors import UserError
from lt_core.frozen.compute import features_of
from lt_core.frozen.fetch import fetch_inputs
from lt_core.pretrained.weights import load_weights
from lt_core.recipes import RECIPES
from lt_core.spec import DataSpec
from tests.standard_trees import (
    FILES,
    TRAIN,
    animals,
    annotate,
    by_class,
    coco,
    fill,
    flat,
    hold_out,
    lines,
    listing,
    lists,
    shrunken,
)

pytestmark = pytest.mark.usefixtures("empty_folders")


@pytest.fixture
def small(monkeypatch):
    """A function that makes a set expect the three classes of `tests.standard_trees`; see `shrunken` there."""

    def shrink(name, **changes):
        monkeypatch.setitem(DATASETS._items, name, shrunken(name, **changes))

    return shrink


def load(name, root):
    load_set.cache_clear()
    return load_set(name, str(root))


def expected(tmp_path):
    """The fingerprint that the same pictures have as a user's own set."""
    root = tmp_path / "own"
    fill(root, by_class)
    for which in FILES:
        (root / f"{which}.txt").write_bytes(listing(which, by_class))
    return add_set("own", root / "train.txt", root / "test.txt", size=8).definition.fingerprint


# What is registered


@pytest.mark.parametrize("name", STANDARD)
def test_what_is_registered_fits_together(name):
    info, source = DATASETS[name], STANDARD[name]
    assert (info.classes, sum(info.train_counts), info.test_count) == (
        source.classes,
        source.train.list.images,
        source.test.list.images,
    )
    assert (max(info.train_counts), min(info.train_counts)) == (max(source.sizes), min(source.sizes))
    assert info.image_shape == (224, 224, 3) and info.n_max == min(source.sizes)
    digests = [digest for part in (source.train, source.test) for digest in part.list.md5]
    assert all(len(digest) == 32 and set(digest) <= set("0123456789abcdef") for digest in digests)
    data = DataSpec(name, imbalance_type="natural")
    assert data.dataset == name
    assert f"{source.classes:,} classes" in info.about and f"{source.train.list.images:,} training" in info.about


def test_figures_of_the_papers():
    """The figures are from public code, and for Places-LT they were counted: FIELD.md, B.4."""
    factors = {name: round(source.imbalance, 2) for name, source in STANDARD.items()}
    assert factors == {
        "imagenet_lt": 256, "places_lt": 996, "inat2017": 435.44, "inat2018": 500, "ilsvrc2012": 1.78, "imagenette_lt": 20,
        "horse2zebra": 1.25, "celeba_male": 1.38, "cub": 1.03, "cub_families": 25,
    }  # fmt: skip
    counts = np.array(DATASETS["places_lt"].train_counts)
    assert DATASETS["places_lt"].by_class and [(counts > 100).sum(), (counts < 20).sum()] == [131, 71]
    assert {name: each for name in STANDARD if (each := DATASETS[name].validation_each)} == {"imagenet_lt": 20, "places_lt": 20}
    assert not DATASETS["imagenet_lt"].by_class


def test_another_size_is_a_name():
    small, info = DATASETS["inat2018_64px"], DATASETS["inat2018"]
    assert small.image_shape == (64, 64, 3) and small.train_counts == info.train_counts and small.source.size == 64
    assert "inat2018_64px" in DATASETS and "cifar10_64px" not in DATASETS and "inat2018_0px" not in DATASETS
    assert DATASETS["places_lt_32px_7v9"].train_counts == (4980, 2612)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"imbalance_type": "majority"}, "imbalance_type majority depends on the size of .* exp or step with n_max 5"),
        ({"imbalance_type": "counts", "counts": (3,) * 1000}, "imbalance_type counts depends on the size of each class"),
        ({"imbalance_type": "exp", "imbalance_factor": 2, "n_max": 6}, "imbalance_type exp depends .* n_max 5 or less"),
        ({"imbalance_type": "natural", "validation": 21}, "validation 21 needs .* own validation split: set it to 20 or less"),
    ],
)  # fmt: skip
def test_what_depends_on_unknown_class_sizes_is_refused(values, words):
    with pytest.raises(UserError, match=f"imagenet_lt: {words}"):
        DataSpec("imagenet_lt", **values)
    DataSpec("imagenet_lt", imbalance_type="exp", imbalance_factor=2, n_max=5)
    DataSpec("inat2017", imbalance_type="natural", validation=4)
    with pytest.raises(UserError, match=r"inat2017: validation 5 needs .*: it has 9 .* set validation to 4 or less"):
        DataSpec("inat2017", imbalance_type="natural", validation=5)
    DataSpec("places_lt", imbalance_type="majority")


def test_some_classes_of_such_a_set_are_refused():
    with pytest.raises(UserError, match=r"inat2018_0v5: the class sizes of inat2018 .* `data add`"):
        DATASETS["inat2018_0v5"]


# Lists that come with the benchmark


@pytest.fixture
def imagenette(tmp_path):
    """A folder like Imagenette's, with a different picture of 4 × 4 pixels for each line of the lists."""
    root = tmp_path / "data" / "imagenette2-320"
    for which in ("train", "test"):
        for number, line in enumerate((LISTS / getattr(STANDARD["imagenette_lt"], which).list.name).read_text().splitlines()):
            path = root / line.rsplit(maxsplit=1)[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng([number, which == "test"]).integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path, "PNG")  # whatever the file's suffix
    return root


def test_a_set_whose_lists_come_with_the_benchmark_needs_pictures_alone(tmp_path, imagenette):
    (imagenette / "train" / "n01440764" / "another.JPEG").write_bytes(b"not in the list")
    images = load("imagenette_lt_8px", tmp_path / "data")
    assert tuple(np.bincount(images.train_labels)) == STANDARD["imagenette_lt"].sizes
    assert np.bincount(images.test_labels).tolist() == [50] * 10
    again = load("imagenette_lt_8px", imagenette)
    assert again.fingerprint == images.fingerprint


def test_what_is_missing_of_it_is_told_with_where_to_get_it(tmp_path, imagenette):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"imagenette_lt: no folder in .*empty or up to two below it has train/n01440764/ILSVRC"
    ) as e:
        load("imagenette_lt", tmp_path / "empty")
    assert "imagenette2-320.tgz from github.com/fastai/imagenette" in str(e.value) and "\n" not in str(e.value)
    (imagenette / "val" / "n03888257" / "n03888257_9671.JPEG").unlink()
    with pytest.raises(UserError, match=r"n03888257_9671\.JPEG"):
        load("imagenette_lt_8px", imagenette)


# Layouts


@pytest.mark.parametrize(
    ("lists_in", "pictures_in", "layout", "end"),
    [
        ("", "", by_class, "\n"),  # lists next to the pictures
        ("data_txt/ImageNet_LT", "ImageNet", flat, "\n"),  # lists elsewhere, and the validation pictures as in their archive
        ("ImageNet_LT", "ImageNet_LT/imagenet", by_class, "\r\n"),  # pictures below the folder of the lists
    ],
)
def test_lists_are_found_with_their_pictures(tmp_path, small, lists_in, pictures_in, layout, end):
    md5 = {which: {"md5": ("0" * 32, md5_of(listing(which, layout)))} for which in FILES}
    small("imagenet_lt", **md5)
    root = tmp_path / "data"
    lists(root / lists_in, "imagenet_lt", layout, end)
    fill(root / pictures_in, layout)
    images = load("imagenet_lt", root)
    assert np.bincount(images.train_labels).tolist() == list(TRAIN) and len(images.test_labels) == 6
    assert images.train_images.shape == (11, 8, 8, 3) and images.fingerprint == expected(tmp_path)


def test_of_lists_in_two_layouts_that_with_its_pictures_is_taken(tmp_path, small):
    small("places_lt", train={"md5": tuple(md5_of(listing("train", layout)) for layout in (by_class, animals))})
    root = tmp_path / "data"
    lists(root / "a", "places_lt", animals)
    lists(root / "b", "places_lt", by_class)
    fill(root / "places", by_class)
    at = located("places_lt", standard("places_lt"), str(root))
    assert at.definition.train == str(root / "b" / "Places_LT_train.txt") and at.definition.root == str(root / "places")
    assert load("places_lt", root).fingerprint == expected(tmp_path)


def test_class_folders_are_found(tmp_path, small):
    small("ilsvrc2012")
    fill(tmp_path / "data" / "imagenet", by_class)
    (tmp_path / "data" / "imagenette" / "train" / "n00000001").mkdir(parents=True)  # a folder with fewer classes
    at = located("ilsvrc2012", standard("ilsvrc2012"), str(tmp_path / "data"))
    assert at.definition.class_names == ("n00000000", "n00000001", "n00000002") and at.definition.train_counts == TRAIN
    assert load("ilsvrc2012", tmp_path / "data").fingerprint == expected(tmp_path)


def test_annotations_stand_for_lists(tmp_path, small):
    small("inat2018")
    annotate(tmp_path / "data" / "annotations")
    fill(tmp_path / "data", animals)
    assert load("inat2018", tmp_path / "data").fingerprint == expected(tmp_path)
    at = located("inat2018", standard("inat2018"), str(tmp_path / "data"))
    assert at.definition.class_names == ("bird 0", "bird 1", "bird 2")


def test_a_list_is_written_from_annotations(tmp_path, small):
    small("inat2018", train={"git": git_of(listing("train", animals))}, test={"md5": (md5_of(listing("test", animals)),)})
    annotate(tmp_path / "data")
    train = write_list("inat2018", tmp_path / "data" / "train2018.json")
    assert train.place.name == "iNaturalist18_train.txt" and train.place.read_bytes() == listing("train", animals)
    assert train.standing == "the copy found in many repositories" and train.counts == TRAIN
    test = write_list("inat2018", tmp_path / "data" / "val2018.json", tmp_path / "val.txt")
    assert test.place == tmp_path / "val.txt" and test.place.read_bytes() == listing("test", animals)
    assert test.standing == "known md5"
    fill(tmp_path / "data", animals)
    for name in ("train2018.json", "val2018.json"):
        (tmp_path / "data" / name).unlink()
    shutil.move(test.place, tmp_path / "data" / "iNaturalist18_val.txt")
    assert load("inat2018", tmp_path / "data").fingerprint == expected(tmp_path)


def test_a_set_of_ones_own_may_have_annotations(tmp_path):
    root = tmp_path / "data"
    fill(root, animals)
    for which in FILES:
        content = coco(which, animals)
        for entry in content["annotations"] + content["categories"]:
            key = "category_id" if "category_id" in entry else "id"
            entry[key] = 10 * entry[key] + 7  # the numbers do not start at 0 and have gaps
        (root / f"{which}.json").write_text(json.dumps(content))
    definition = add_set("own", root / "train.json", root / "test.json", size=8).definition
    assert definition.train_counts == TRAIN and definition.class_names == ("bird 0", "bird 1", "bird 2")


def test_annotations_are_gone_through_once(tmp_path, monkeypatch):
    """Any process may do it: the result is kept until the file changes, and is made again if it is damaged."""
    file = tmp_path / "train.json"
    file.write_text(json.dumps(coco("train", animals)))
    parsed, loads = [], json.loads
    monkeypatch.setattr(annotations.json, "loads", lambda text: parsed.append(len(text)) or loads(text))
    parses = lambda: sum(length > 500 for length in parsed)  # noqa: E731  (the names of classes are JSON too, and short)
    first = annotations.read_annotations(file)
    assert annotations.read_annotations(file) == first and first.names == {0: "bird 0", 1: "bird 1", 2: "bird 2"}
    assert parses() == 1
    (kept,) = (tmp_path / "cache" / "annotations").iterdir()
    kept.write_bytes(b"PAR1")
    assert annotations.read_annotations(file) == first and parses() == 2
    file.write_text(json.dumps(coco("test", animals)))
    assert annotations.read_annotations(file) != first and parses() == 3


def test_annotations_can_be_read_where_nothing_can_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "file"))
    (tmp_path / "train.json").write_text(json.dumps(coco("train", animals)))
    assert len(annotations.read_annotations(tmp_path / "train.json").pairs) == sum(TRAIN)


# Decoded


def test_decoding_is_told_done_once_and_can_be_verified(tmp_path, small):
    small("imagenet_lt")
    root = tmp_path / "data"
    lists(root, "imagenet_lt", by_class)
    fill(root, by_class)
    at = located("imagenet_lt", standard("imagenet_lt"), str(root))
    assert not key_at(at)
    with pytest.raises(UserError, match=r"imagenet_lt: there is nothing to verify, .* not been decoded .*: a run decodes them"):
        decoded(at)
    told = []
    with telling(lambda name: lambda done, total: told.append((name, done, total))):
        load("imagenet_lt", root)
        load("imagenet_lt", root)
    assert told == [("imagenet_lt", 11, 17), ("imagenet_lt", 17, 17)]
    assert made(at)[0].train_counts == TRAIN and verify_set(decoded(at)) == []
    first = root / lines("train", by_class)[0][0]
    content = first.read_bytes()
    status = first.stat()
    first.write_bytes(content[:-1] + b"\0")
    os.utime(first, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert verify_set(decoded(at)) == [f"{first} has changed"]


# A validation part of its own


@pytest.fixture
def held(tmp_path, small):
    """A small ImageNet-LT with a validation list of two images per class."""
    small("imagenet_lt")
    lists(tmp_path / "data", "imagenet_lt", by_class)
    fill(tmp_path / "data", by_class)
    hold_out(tmp_path / "data", "imagenet_lt", by_class)
    return tmp_path / "data"


def drawn(root, seed=0, **data):
    load_set.cache_clear()
    spec = DataSpec("imagenet_lt", **{"imbalance_type": "natural", "validation": 2, "subset_seed": seed, **data})
    return draw_images(spec, torch.device("cpu"), str(root))


def test_validation_images_are_those_of_the_set_and_cost_no_training_image(tmp_path, held):
    split = drawn(held).split
    assert split.counts.tolist() == list(TRAIN) and split.validation.labels.tolist() == [0, 0, 1, 1, 2, 2]
    known = {image.tobytes() for image in split.train.pixels.numpy()} | {image.tobytes() for image in split.test.pixels.numpy()}
    assert len(known | {image.tobytes() for image in split.validation.pixels.numpy()}) == 11 + 6 + 6
    assert load("imagenet_lt", held).fingerprint == expected(tmp_path)  # the test figures belong to the same set
    fewer = [drawn(held, seed, validation=1).split.validation for seed in range(8)]
    assert {tuple(part.labels.tolist()) for part in fewer} == {(0, 1, 2)}
    assert len({image.tobytes() for part in fewer for image in part.pixels.numpy()}) == 6
    assert len(drawn(held, validation=0).split.validation) == 0


def test_features_of_validation_images_are_computed_too(held, frozen):
    spec = DataSpec("imagenet_lt", imbalance_type="natural", validation=2)
    split = draw_images(spec, torch.device("cpu"), str(held), frozen=frozen).split
    net = load_weights(frozen.info, frozen.weights, frozen.size)
    pixels = drawn(held).split.validation.pixels.numpy()
    np.testing.assert_array_equal(split.validation.pixels[:, 0, 0].numpy(), features_of(net, frozen, pixels).astype(np.float32))


def test_without_the_list_validation_is_refused_before_anything_trains(held):
    spec = DataSpec("imagenet_lt", imbalance_type="natural", validation=2)
    fetch_inputs([(spec, RECIPES["mnist_mlp"])], str(held), say=lambda line: None)
    (held / "ImageNet_LT_val.txt").unlink()
    load_set.cache_clear()
    words = r"imagenet_lt: validation 2 uses the set's own validation split, .* put them beside the others"
    with pytest.raises(UserError, match=words):
        fetch_inputs([(spec, RECIPES["mnist_mlp"])], str(held), say=lambda line: None)
    assert len(drawn(held, validation=0).split.train) == 11


def test_a_wrong_validation_list_is_refused_by_name(held):
    (held / "ImageNet_LT_val.txt").write_text("train/n00000000/0-800.png 0\n")
    with pytest.raises(UserError, match=r"is not the ImageNet_LT_val.txt that .* \(1 lines, expected 6"):
        load("imagenet_lt", held)


# Refusals


@pytest.fixture
def data(tmp_path, small):
    """A small, complete ImageNet-LT in a folder. Its training list is known by its lines and classes, its test list by md5."""
    small("imagenet_lt", test={"md5": (md5_of(listing("test", by_class)),)})
    lists(tmp_path / "data", "imagenet_lt", by_class)
    fill(tmp_path / "data", by_class)
    return tmp_path / "data"


def change(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new))


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: remove(d / "ImageNet_LT_train.txt"), r"no ImageNet_LT_train.txt in .*/data or up to two folders below it: put"
         r" .* \(lists: github.com/.*; pictures: ILSVRC 2012 from image-net.org\)"),
        (lambda d: remove(d / "ImageNet_LT_test.txt"), "no ImageNet_LT_test.txt in "),
        (lambda d: change(d / "ImageNet_LT_train.txt", b"train/n00000000/0-0.png 0\n", b""),
         r"is not the ImageNet_LT_train.txt that papers use \(10 lines, expected 11\): download"),
        (lambda d: change(d / "ImageNet_LT_train.txt", b" 2", b" 3"),
         r"labels 0 to 3, expected 0 to 2\): download"),
        (lambda d: change(d / "ImageNet_LT_train.txt", b"0-0.png 0", b"0-0.png 2"), "5 images of class 0, expected 6"),
        (lambda d: change(d / "ImageNet_LT_train.txt", b" 0\n", b"\n"),
         "is not a list of pictures: each line must be `relative/path label`$"),
        (lambda d: change(d / "ImageNet_LT_test.txt", b"0-500.png 0", b"0-500.png 1"),
         r"ImageNet_LT_test.txt .*md5 \w{32} and 6 lines, expected md5 \w{32} and 6 lines\): download it again"),
        (lambda d: change(d / "ImageNet_LT_train.txt", b" 2", b" 99999999999999"), "labels 0 to 99,999,999,999,999"),
        (lambda d: (d / "ImageNet_LT_train.txt").write_bytes(b""), "is not a list of pictures"),
        (lambda d: (d / "ImageNet_LT_train.txt").write_bytes(b"\xff\xfe 0\n"), "is not a list of pictures"),
        (lambda d: remove(d / "train"), r"the lists are in .*, and no folder in .*/data or up to two below it has "
         r"train/n00000000/0-0.png \(ImageNet_LT_train.txt\) and val/n00000000/0-500.png \(ImageNet_LT_test.txt\): put"),
        (lambda d: remove(d / "train" / "n00000002" / "2-1.png"),
         r"ImageNet_LT_train.txt names 1 file missing below .*/data \(first: train/n00000002/2-1.png\): add them"),
        (lambda d: (d / "val" / "n00000002" / "2-501.png").write_bytes(b""),
         r"imagenet_lt: 1 of 17 pictures cannot be read \(first: .*/2-501.png, the file is empty\): download them again"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_one_sentence(data, spoil, words):
    assert load("imagenet_lt", data).train_labels.shape == (11,)
    spoil(data)
    with pytest.raises(UserError, match=words) as error:
        load("imagenet_lt", data)
    assert "\n" not in str(error.value)


def test_a_list_whose_classes_are_not_known_one_by_one_is_held_by_its_imbalance(tmp_path, small):
    small("imagenet_lt", sizes=(7, 2))
    lists(tmp_path / "data", "imagenet_lt", by_class)
    fill(tmp_path / "data", by_class)
    with pytest.raises(UserError, match=r"an imbalance factor of 3.00, expected 3.50"):
        load("imagenet_lt", tmp_path / "data")
    small("imagenet_lt", sizes=(6, 2))
    assert len(load("imagenet_lt", tmp_path / "data").train_labels) == 11


def test_a_wrong_copy_does_not_hide_a_right_one(data):
    (data / "older").mkdir()
    (data / "ImageNet_LT_train.txt").rename(data / "older" / "ImageNet_LT_train.txt")
    (data / "ImageNet_LT_train.txt").write_text("a.jpg 0\n")
    assert len(load("imagenet_lt", data).train_labels) == 11


def test_class_folders_that_are_not_all_there_are_refused(tmp_path, small):
    small("ilsvrc2012")
    fill(tmp_path / "data", by_class)
    remove(tmp_path / "data" / "val" / "n00000001")
    with pytest.raises(UserError, match=r"ilsvrc2012: .*/val has 2 class folders, expected 3: add the others"):
        load("ilsvrc2012", tmp_path / "data")
    fill(tmp_path / "data", by_class)
    remove(tmp_path / "data" / "val" / "n00000001" / "1-500.png")
    with pytest.raises(UserError, match=r"have 11 training and 5 test images, expected 11 and 6: download the set again"):
        load("ilsvrc2012", tmp_path / "data")


def test_without_a_data_folder_it_says_where_it_looked(tmp_path):
    with pytest.raises(UserError, match=rf"inat2018: no iNaturalist18_train.txt or train2018.json in {tmp_path}/cache/downloads"):
        load_set("inat2018")
    with pytest.raises(UserError, match=r"the data folder .*/none does not exist: set --data .* contains inat2018"):
        load("inat2018", tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2]", "does not contain annotations in COCO format"),
        ("{", "does not contain annotations in COCO format"),
        ('{"images": [], "annotations": []}', "has no images: use a file in which each image has a category"),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}', r"has 1 image without a category \(first: a.jpg\)"),
        (
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "category_id": 4}, '
            '{"image_id": 1, "category_id": 5}]}',
            "image 1 has the categories 4 and 5, but a picture can have only one class",
        ),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "category_id": 4}]}',
         r"has 1 image, expected 437,513 \(train2018.json\) or 24,426 \(val2018.json\): download it again"),
    ],
)  # fmt: skip
def test_annotations_that_are_none_are_refused(tmp_path, content, words):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=words):
        write_list("inat2018", tmp_path / "a.json")


def test_lists_that_are_not_made_of_annotations(tmp_path):
    (tmp_path / "a.json").write_text(
        '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "category_id": 4}]}'
    )
    with pytest.raises(UserError, match=r"places_lt comes with lists, .*: lists: github.com/"):
        write_list("places_lt", tmp_path / "a.json")
    with pytest.raises(UserError, match="unknown standard set 'digits'"):
        write_list("digits", tmp_path / "a.json")
    with pytest.raises(UserError, match=r"none\.json cannot be read: No such file"):
        write_list("inat2018", tmp_path / "none.json")


def test_copies_of_a_list_agree_whatever_their_line_ends():
    text = b"a b/c.jpg 0\nd.jpg 1\n"
    assert {md5_of(copy) for copy in (text, text.replace(b"\n", b"\r\n"), text[:-1], text + b"\n")} == {md5_of(text)}
    assert canonical(text) == text and md5_of(text) != md5_of(text.replace(b"c", b"e"))
    assert Part(ListFile("x", 1)).list.known == "lines and classes"
