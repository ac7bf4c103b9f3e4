"""Sets of a user's own pictures: they are found in every layout, decoded once, and identified by their content."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lt_core.data import registered
from lt_core.data.images import Rows
from lt_core.data.pictures import intact, making, picture_set
from lt_core.data.pictures.added import add_set, known, manifest_of
from lt_core.data.pictures.decode import Unreadable, decoded
from lt_core.data.pictures.facts import facts
from lt_core.data.pictures.verify import verify_set
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.frozen.compute import features_of
from lt_core.frozen.features import load_features
from lt_core.pretrained.weights import load_weights
from lt_core.spec import DataSpec
from tests.pictures import COLOURS, KINDS, header, listing, parquet, pictures, png, saved, tree, written

TRAIN, TEST = pictures((8, 5, 3)), pictures((2, 2, 2), start=500)


@pytest.fixture(autouse=True)
def no_sets(empty_folders, monkeypatch):
    """No set that another test has added or lent."""
    monkeypatch.setattr(registered, "_lent", {})


@pytest.fixture
def mine(tmp_path):
    """A set of 16 training pictures and six test pictures, in folders; gives the folder of the training set."""
    train = tree(tmp_path / "train", TRAIN)
    add_set("mine", train, tree(tmp_path / "test", TEST), size=8)
    return train


def load(name="mine"):
    load_set.cache_clear()
    return load_set(DATASETS.versioned(name))


# Layouts


def test_a_set_is_the_same_in_every_layout(tmp_path, mine):
    (tmp_path / "unix").mkdir()
    (tmp_path / "windows").mkdir()
    for name, train, test in (
        ("lines", listing(tmp_path / "unix" / "train.txt", TRAIN), listing(tmp_path / "unix" / "test.txt", TEST)),
        (
            "crlf",
            listing(tmp_path / "windows" / "a.txt", TRAIN, "\r\n"),
            listing(tmp_path / "windows" / "b.txt", TEST, "\r\n\r\n"),
        ),
        ("shards", parquet(tmp_path / "hub", TRAIN), parquet(tmp_path / "hub", TEST, "test")),
        ("arrow", saved(tmp_path / "saved", TRAIN), saved(tmp_path / "saved", TEST, "test")),
    ):
        add_set(name, train, test, size=8)
        assert DATASETS.versioned(name).partition("@")[2] == DATASETS.versioned("mine").partition("@")[2]
        one, other = load(name), load()
        assert one.fingerprint == other.fingerprint
        assert np.array_equal(one.train_images[:], other.train_images[:]) and np.array_equal(
            one.test_pixels(), other.test_pixels()
        )


def test_images_stand_by_class_and_by_the_hash_of_their_file(mine):
    images = load()
    assert images.train_labels.tolist() == [0] * 8 + [1] * 5 + [2] * 3 and images.shape == (8, 8, 3)
    contents = sorted((label, hashlib.sha256(content).hexdigest(), content) for _, label, content in TRAIN)
    for position in (0, 7, 8, 15):
        whole = Image.open(io.BytesIO(contents[position][2]))
        # 12 × 9 pixels: the shorter side scaled to 8, and the centre, which begins at (12 − 9) / 2.
        expected = whole.resize((8, 8), Image.Resampling.BICUBIC, box=(1.5, 0, 10.5, 9))
        assert np.array_equal(images.train_pixels(np.array([position]))[0], np.asarray(expected))
    backwards = images.train_pixels(np.arange(16)[::-1])
    assert np.array_equal(backwards[::-1], images.train_images[:])


def test_the_names_of_classes_come_from_folders_and_from_the_hub(tmp_path):
    tree(tmp_path / "train", TRAIN, ("鳥", "žaba", "10", "9"))
    assert add_set("animals", tmp_path / "train", size=8).definition.class_names == ("10", "žaba", "鳥"), "by alphabet"
    parquet(tmp_path / "hub", TRAIN, names=("bird", "frog", "ten"))
    assert add_set("hub", tmp_path / "hub", size=8).definition.class_names == ("bird", "frog", "ten")
    tree(tmp_path / "numbers", TRAIN, ("2", "10", "9"))
    assert add_set("numbers", tmp_path / "numbers", size=8).definition.class_names == ("2", "9", "10"), "by their value"


# Parts


def test_a_test_part_is_drawn_the_same_for_each_class(tmp_path):
    train = tree(tmp_path / "all", TRAIN)
    shutil.copy(
        next(train.glob("2/**/2-0.png")), train / "2" / "again.png"
    )  # its content occurs twice, so it is never a test picture
    first = add_set("drawn", train, size=8).definition
    assert (first.train_counts, first.test_count) == ((7, 4, 3), 3)
    images = load("drawn")
    assert np.bincount(images.test_labels).tolist() == [1, 1, 1]
    assert not {i.tobytes() for i in images.train_images[:]} & {i.tobytes() for i in images.test_pixels()}
    versions = {first.version}
    for seed, each in ((0, 1), (1, 1), (0, 2)):
        versions.add(add_set("drawn", train, size=8, split_seed=seed, test_each=each).definition.version)
    assert len(versions) == 3, "a fifth of four is one; another seed or number is another set"
    with pytest.raises(UserError, match=r"drawn: class 2 has 2 distinct pictures, too few for 3 test images"):
        add_set("drawn", train, size=8, test_each=3)


# Identity


def test_other_pictures_under_the_same_name_are_another_set(tmp_path, mine):
    old = DATASETS.versioned("mine")
    spec = DataSpec(old, imbalance_type="natural")
    (mine / "0" / "more.png").write_bytes(png(COLOURS[0], 99))
    added = add_set("mine", mine, tmp_path / "test", size=8)
    assert f"mine@{added.former}" == old != DATASETS.versioned("mine")
    assert dataclasses.replace(spec) == spec, "rows of the former set can be read"
    with pytest.raises(UserError, match=rf"dataset {old} .*another version of it is loaded \({DATASETS.versioned('mine')}\)"):
        DATASETS[old]
    (mine / "0" / "more.png").unlink()
    assert add_set("mine", mine, tmp_path / "test", size=8).definition.version == old.partition("@")[2]
    assert add_set("mine", mine, tmp_path / "test", size=9).definition.version != old.partition("@")[2], "so is another size"


def test_sets_of_a_user_are_known_by_their_names(mine):
    assert "mine" in DATASETS and "mine" in DATASETS.names("m*e") and "mine" not in DATASETS.names("cifar*")
    info = DATASETS["mine"]
    assert (info.train_counts, info.test_count, info.image_shape) == ((8, 5, 3), 6, (8, 8, 3))
    version = known("mine").version
    assert DATASETS.versioned("mine_2v0") == f"mine_2v0@{version}"
    assert load("mine_2v0").train_labels.tolist() == [0] * 3 + [1] * 8
    with pytest.raises(UserError, match=r"unknown set of pictures 'mien': did you mean 'mine'"):
        known("mien")


def test_a_definition_travels_to_where_its_file_is_not(tmp_path, mine, monkeypatch):
    values, name = dataclasses.asdict(known("mine")), DATASETS.versioned("mine")
    monkeypatch.setenv("LT_SETS", str(tmp_path / "elsewhere"))
    assert name not in DATASETS
    registered.lend(values)
    assert len(load_set(name).train_labels) == 16


PAIRS = """
from pathlib import Path

from lt_core.data.pictures import picture_set

ROOT = Path({root!r})
picture_set("pairs", [(path.relative_to(ROOT), int(path.name[0])) for path in sorted(ROOT.rglob("*.png"))], root=ROOT, size=8)
"""


def test_a_plug_in_file_registers_pairs_of_paths_and_labels(tmp_path, mine, load):
    plugin = load(PAIRS.format(root=str(mine)))
    assert DATASETS.versioned("pairs") == f"pairs@{plugin.version}"
    images = load_set(f"pairs@{plugin.version}")
    assert images.fingerprint == add_set("same", mine, size=8).definition.fingerprint
    with pytest.raises(UserError, match=r"pairs names 1 file missing below .*\(first: none.png\): add them, or give the folder"):
        picture_set("more", [("none.png", "a")], root=tmp_path)
    with pytest.raises(UserError, match=r"the list of \(path, label\) pairs is empty"):
        picture_set("more", [], root=tmp_path)


def test_features_of_a_backbone_are_computed_from_the_file_of_pixels(frozen, tmp_path):
    add_set("mine", tree(tmp_path / "train", TRAIN), tree(tmp_path / "test", TEST), size=20)
    name = DATASETS.versioned("mine")
    found, images = load_features(frozen, name), load_set(name)
    assert isinstance(images.train_images, Rows) and isinstance(images.train_images.pixels, np.memmap)
    net = load_weights(frozen.info, frozen.weights, frozen.size)
    np.testing.assert_allclose(
        found.train_features, features_of(net, frozen, images.train_images[:]), rtol=2e-3, err_msg="in canonical order"
    )
    assert found.fingerprint == images.fingerprint and found.test_pixels().shape[0] == 6


# What is kept


def test_a_kill_costs_one_piece(tmp_path, monkeypatch):
    train, real, done = tree(tmp_path / "train", TRAIN), making.decoded, []
    monkeypatch.setattr(making, "_PIECE", 4)

    def decode(content, size):
        if len(done) == 10:
            raise KeyboardInterrupt
        done.append(content)
        return real(content, size)

    monkeypatch.setattr(making, "decoded", decode)
    monkeypatch.setattr(making, "_THREADS", 1)
    with pytest.raises(KeyboardInterrupt):
        add_set("mine", train, size=8)
    assert registered.find("mine") is None
    monkeypatch.setattr(making, "decoded", lambda content, size: done.append(content) or real(content, size))
    add_set("mine", train, size=8)
    assert len(done) == 10 + 16 - 8 and len(set(done)) == 16, "two pieces of four were there"
    killed = load().train_pixels(np.arange(12))
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "fresh"))
    add_set("mine", train, size=8)
    assert np.array_equal(load().train_pixels(np.arange(12)), killed)


def test_what_is_there_is_not_decoded_again(tmp_path, mine, monkeypatch):
    monkeypatch.setattr(making, "decoded", lambda *args: pytest.fail("decoded again"))
    assert not add_set("mine", mine, tmp_path / "test", size=8).former
    assert add_set("another_name", mine, tmp_path / "test", size=8).definition.version == known("mine").version
    assert load("another_name").fingerprint == load().fingerprint


def test_a_lost_cache_is_made_again_from_the_same_pictures_alone(tmp_path, mine):
    before = load().train_images[:]
    shutil.rmtree(tmp_path / "cache")
    assert np.array_equal(load().train_images[:], before)
    shutil.rmtree(tmp_path / "cache")
    (mine / "0" / "0-0.png").write_bytes(png(COLOURS[0], 99))
    with pytest.raises(
        UserError, match=r"^mine: the content of .*train has changed since the set was added .*: restore it, or add the set again"
    ):
        load()


def test_a_changed_file_is_noticed_and_a_copy_can_be_vouched_for(mine):
    (file,) = mine.glob("1/**/1-1.png")
    content, time = file.read_bytes(), file.stat().st_mtime_ns
    os.utime(file, ns=(0, time + 5))
    with pytest.raises(UserError, match=r"^mine: 1 picture of 22 changed after the set was added .*1-1.png has changed"):
        load()
    assert verify_set(known("mine")) == []
    assert len(load().train_labels) == 16, "it holds what it held"
    file.write_bytes(png(COLOURS[1], 98))
    (mine / "2" / "new.png").write_bytes(content)
    wrong = verify_set(known("mine"))
    assert len(wrong) == 2 and wrong[0].endswith("1-1.png has changed") and wrong[1].endswith("new.png is new")
    file.unlink()
    assert [w.rpartition(".png")[2] for w in verify_set(known("mine"))] == [" is new", " is missing"]


def test_damaged_pixels_are_found(mine):
    pixels = np.load(making.pictures_dir() / known("mine").key / "pixels.npy", mmap_mode="r+")
    pixels[20, 0, 0, 0] ^= 1
    pixels.flush()
    (wrong,) = verify_set(known("mine"))
    assert "pixels.npy is damaged at picture 16" in wrong, "its piece begins with the test part"


def test_damaged_pixels_and_manifests_are_decoded_again_when_the_set_is_loaded(mine):
    first = load("mine")
    pixels, labels = np.array(first.train_images[:]), np.array(first.train_labels)
    (folder,) = (path for path in making.pictures_dir().iterdir() if path.is_dir())
    for name in ("pixels.npy", "manifest.parquet"):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        intact._checked.clear()  # as in a fresh process
        with pytest.warns(UserWarning, match=f"decoded pictures in {folder} are damaged .* and are decoded again"):
            again = load("mine")
        assert again.fingerprint == first.fingerprint
        assert np.array_equal(again.train_images[:], pixels) and np.array_equal(again.train_labels, labels)
    intact._checked.clear()
    load("mine")  # complete again, without a warning


def test_a_process_looks_once_whether_decoded_pictures_are_whole(mine, monkeypatch):
    load("mine")
    monkeypatch.setattr(intact, "damaged_pixels", lambda *args: pytest.fail("looked at again"))
    load("mine")


def test_pictures_without_room_are_refused_with_the_price(tmp_path, monkeypatch):
    monkeypatch.setattr(making.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(UserError, match=r"16 pictures take 0.0 GB when decoded at 8 pixels, and .* has 0.0 GB free"):
        add_set("mine", tree(tmp_path / "train", TRAIN), size=8)


# Pictures of all kinds


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_all_kinds_become_rgb(kind):
    content, colour, note = KINDS[kind]
    picture = decoded(content, 4)
    assert picture.pixels.shape == (4, 4, 3) and picture.note == note
    assert np.abs(picture.pixels.astype(int) - colour).max() <= 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"GIF89a no picture", "."),
        (written("JPEG", Image.effect_noise((40, 40), 50))[:-200], "truncated"),
        (written("PNG", Image.effect_noise((40, 40), 50))[:-200], "."),
        (header(20_000, 20_000), "the limit of 179 million"),
        (written("TIFF", Image.new("F", (4, 4))), "floating-point"),
    ],
    ids=["empty", "no picture", "truncated JPEG", "truncated PNG", "huge", "floating point"],
)
def test_pictures_that_cannot_be_read_say_why(content, reason):
    with pytest.raises(Unreadable, match=reason):
        decoded(content, 4)


def test_unreadable_and_odd_files_are_counted_by_name(tmp_path, mine):
    (mine / "0" / "broken.jpg").write_bytes(b"")
    (mine / "0" / "gone.jpg").symlink_to(mine / "nowhere.jpg")
    (mine / "0" / "notes.txt").write_text("no picture")
    (mine / "0" / "copy.png").write_bytes(TRAIN[0][2])
    (mine / "1" / "other.png").write_bytes(TRAIN[0][2])
    (mine / "2" / "cheat.png").write_bytes(TEST[4][2])
    added = add_set("mine", mine, tmp_path / "test", size=10)
    assert added.definition.train_counts == (9, 6, 4) and added.notes == ("1 file skipped: not a picture by its file name",)
    found = facts(added.definition, added.manifest)
    assert [(Path(file).name, reason) for file, reason in found.unreadable] == [
        ("broken.jpg", "the file is empty"),
        ("gone.jpg", "it is a link to a file that does not exist"),
    ]
    names = [[Path(file).name for file in files] for files in (found.copies, found.relabelled, found.shared)]
    assert names == [["copy.png", "other.png"], ["other.png"], ["2-500.png"]]
    assert (found.small, found.imbalance, found.shots) == (25, 2.25, (0, 0, 3)) and found.sides[1] == (9, 12)
    assert found.disk[10] == 27 * 300 / 1e9 and manifest_of(added.definition).readable.sum() == 25


# Bad input


def test_a_class_that_is_left_empty_is_fatal(tmp_path):
    train = tree(tmp_path / "train", TRAIN[:-3])
    (train / "2").mkdir()
    with pytest.raises(UserError, match=r"train/2: this class has no pictures"):
        add_set("mine", train, size=8)
    (train / "2" / "torn.png").write_bytes(b"torn")
    with pytest.raises(
        UserError, match=r"^mine: class 2 has no picture in the training set because none of its files can be read"
    ):
        add_set("mine", train, size=8)


def test_links_that_lead_in_a_circle_are_named(tmp_path):
    train = tree(tmp_path / "train", TRAIN)
    (train / "1" / "deep" / "back").symlink_to(train / "1")
    with pytest.raises(UserError, match=r"deep/back is a link back to .*, which makes a circle: remove it"):
        add_set("mine", train, size=8)
    (train / "1" / "deep" / "back").unlink()
    (train / "1" / "deep" / "aside").symlink_to(tree(tmp_path / "other", TEST))  # leads elsewhere, but not back
    assert add_set("mine", train, size=8, test_each=1).definition.train_counts == (7, 4 + 6, 2)


@pytest.mark.parametrize("target", ["nowhere", "lost"])
def test_a_class_that_is_a_link_to_nowhere_is_named(tmp_path, target):
    """Otherwise the set would silently have one class less. A link to itself leads nowhere, too."""
    train = tree(tmp_path / "train", TRAIN)
    (train / "lost").symlink_to(train / target)
    with pytest.raises(UserError, match=r"train/lost is a broken link"):
        add_set("mine", train, size=8)


def test_names_may_be_in_any_script(tmp_path):
    names = ("日本 の", "Ünïcödé", "снимки")
    found = [(f"№ {label} ☃ {name}", label, content) for name, label, content in TRAIN]
    added = add_set("mine", tree(tmp_path / "train", found, names), size=8, test_each=1)
    assert added.definition.class_names == ("Ünïcödé", "снимки", "日本 の") and added.definition.train_counts == (4, 2, 7)
    assert known("mine") == added.definition and verify_set(added.definition) == []
    flat = add_set("flat", listing(tmp_path / "список.txt", found), size=8, test_each=1)
    assert flat.definition.train_counts == (7, 4, 2) and verify_set(flat.definition) == []


def test_a_name_that_is_no_text_is_refused(tmp_path):
    train = tree(tmp_path / "train", TRAIN)
    try:
        Path(os.fsdecode(os.fsencode(train / "0") + b"/caf\xe9.png")).write_bytes(TRAIN[0][2])
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(UserError, match=r"caf.* is not valid UTF-8: rename the file"):
        add_set("mine", train, size=8)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a.png 0\nb.png 2\n", "labels go up to 2, but no picture has label 1"),
        ("a.png 1\nb.png 2\n", "labels go up to 2, but no picture has label 0"),
        ("a.png 0\nc.png 1\nd.png 1\n", r"names 2 files missing below .* \(first: c.png\): .* as root"),
        ("a.png 0\nb.png 1\n./a.png\n", r"line 3: './a.png' is not"),
        ("a.png 0\nb.png -1\n", r"line 2: 'b.png -1' is not"),
        ("a.png 0\nb.png 1\na.png 1\n", "line 3: a.png has label 1 here and 0 above"),
        ("\n", "does not list any pictures"),
        ("\x00\ufffe", "is not"),
    ],
)
def test_a_bad_list_is_refused_by_line(tmp_path, lines, words):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(TRAIN[0][2])
    (tmp_path / "list.txt").write_text(lines)
    with pytest.raises(UserError, match=rf"list\.txt.*{words}") as error:
        add_set("mine", tmp_path / "list.txt", size=8)
    assert "\n" not in str(error.value)


def test_a_line_that_comes_twice_counts_once(tmp_path):
    file = listing(tmp_path / "list.txt", TRAIN)
    file.write_text(file.read_text() + "\nflat/1-0.png 1\n")
    added = add_set("mine", file, test_each=1, size=8)
    assert sum(added.definition.train_counts) == 13 and added.notes == (
        "1 line of list.txt skipped: the picture is already listed",
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits", "dataset 'digits' already exists"),
        ("mine_3v5", "'mine_3v5' is not a valid name for an image set"),
        ("a/b", "'a/b' is not a valid name for an image set"),
        ("mine@1", "is not a valid name for an image set"),
    ],
)
def test_names_that_mean_something_else_are_refused(tmp_path, name, words):
    with pytest.raises(UserError, match=words):
        add_set(name, tmp_path)


def test_places_without_pictures_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "parts" / "train").mkdir(parents=True)
    (tmp_path / "parts" / "val").mkdir()
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    for place, words in (
        ("nowhere", "does not exist"),
        ("empty", "has no folders with pictures"),
        ("parts", r"contains the splits of a set \(train, val\)"),
        ("torn.parquet", "contains tables that cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            add_set("mine", tmp_path / place)
    train = tree(tmp_path / "train", TRAIN)
    with pytest.raises(UserError, match="test set: unknown class 'zebra'"):
        add_set("mine", train, tree(tmp_path / "other", TEST, ("0", "1", "zebra")), size=8)
    with pytest.raises(UserError, match="class 2 has no picture in the test set"):
        add_set("mine", train, tree(tmp_path / "fewer", TEST[:4]), size=8)


# Real photographs

ROOT = Path(__file__).parents[2]
PHOTOS = next((p for p in (ROOT, ROOT.parent) if (p / "shared" / "data").is_dir()), ROOT) / "shared" / "data" / "imagenette"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not in shared/data")
def test_photographs_are_the_same_by_list_and_by_folder():
    by_list = add_set("by_list", PHOTOS / "imagenette_LT_train.txt", PHOTOS / "imagenette_LT_val.txt", size=32).definition
    assert (sum(by_list.train_counts), max(by_list.train_counts), min(by_list.train_counts)) == (1018, 300, 15)
    by_folder = add_set("by_folder", PHOTOS / "train", PHOTOS / "val", size=32).definition
    assert Counter(by_folder.train_counts) == Counter(by_list.train_counts) and by_folder.test_count == 500
