"""The layouts of Horse2Zebra, CUB-200-2011 and CelebA: in each, the same pictures are the same set, and errors are reported."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lt_core.data.pictures.added import add_set
from lt_core.data.pictures.source import layout_at
from lt_core.data.pictures.standard import located
from lt_core.data.sets import DATASETS, _standard
from lt_core.data.sources import load_set
from lt_core.data.standard_sets import STANDARD
from lt_core.errors import UserError
from tests.layouts import FILES, TEST, TRAIN, birds, faces, horses
from tests.pictures import tree

pytestmark = pytest.mark.usefixtures("empty_folders")

#: The function that makes the layout, its folder, and what defines the class.
LAYOUTS = [
    (horses, "horse2zebra", ""),
    (birds, "CUB_200_2011", "#family"),
    (birds, "CUB_200_2011", ""),
    (faces, "celeba", "#Smiling"),
]


@pytest.mark.parametrize(("make", "folder", "of"), LAYOUTS, ids=["horse2zebra", "families", "species", "celeba"])
def test_a_set_is_the_same_in_its_own_layout_and_in_class_folders(make, folder, of, tmp_path):
    place = f"{make(tmp_path / folder)}{of}"
    found = add_set("own", place, place, size=8).definition
    order = ["1", "0"] if make is birds else ["0", "1"]  # flycatchers come before sparrows, by name and by number
    plain = {part: tree(tmp_path / "plain" / part, files, tuple(order)) for part, files in FILES.items()}
    assert found.fingerprint == add_set("plain", plain["train"], plain["test"], size=8).definition.fingerprint
    counts = TRAIN[::-1] if make is birds else TRAIN
    assert (found.train_counts, found.test_count) == (counts, sum(TEST))
    assert (
        found.class_names
        == {
            "": ("A", "B") if make is horses else ("Scissor_tailed_Flycatcher", "Baird_Sparrow"),
            "#family": ("Flycatcher", "Sparrow"),
            "#Smiling": ("not Smiling", "Smiling"),
        }[of]
    )


def test_the_validation_part_of_celeba_is_read_where_it_is_asked_for(tmp_path):
    place = f"{faces(tmp_path / 'celeba')}#Smiling"
    names = {part: {entry.place for entry in layout_at(place, part).entries} for part in ("train", "validation", "test")}
    assert [len(names[part]) for part in names] == [7, 2, 4] and not names["train"] & names["validation"] | names["test"] & names[
        "train"
    ]


@pytest.mark.parametrize("name", ["horse2zebra", "celeba_male", "cub_families"])
def test_a_standard_set_is_found_by_its_layout_beside_another_set_of_that_layout(name, tmp_path, monkeypatch):
    make, folder, of = {
        "horse2zebra": (horses, "a/horse2zebra", ""),
        "celeba_male": (faces, "celeba", "#Smiling"),
        "cub_families": (birds, "CUB_200_2011", "#family"),
    }[name]
    sizes = TRAIN[::-1] if make is birds else TRAIN
    parts = {
        part: dataclasses.replace(
            getattr(STANDARD[name], part),
            list=dataclasses.replace(getattr(STANDARD[name], part).list, images=sum(counts)),
            tree=getattr(STANDARD[name], part).tree.partition("#")[0] + of,
        )
        for part, counts in (("train", TRAIN), ("test", TEST))
    }
    small = dataclasses.replace(STANDARD[name], classes=2, sizes=sizes, size=8, **parts)
    monkeypatch.setitem(DATASETS._items, name, _standard(name, small))
    with pytest.raises(UserError, match=rf"{name}: no \w+(.txt)? in .*: put .* \(.*\)"):
        located(name, small, str(tmp_path))
    make(tmp_path / folder)
    other = make(tmp_path / "a" / "apple2orange")
    if make is horses:
        (other / "trainA" / "more.png").write_bytes(FILES["train"][0][2])
    images = load_set(name, str(tmp_path))
    assert np.bincount(images.train_labels).tolist() == list(sizes) and images.shape == (8, 8, 3)
    if make is horses:
        (tmp_path / folder / "trainA" / FILES["train"][0][0]).unlink()
        with pytest.raises(UserError, match=r"horse2zebra: .* have 6 training and 4 test images, expected 7 and 4: download"):
            located(name, small, str(tmp_path / folder))


def test_two_classes_of_any_of_them_at_any_size_are_a_name():
    pair = DATASETS["cub_families_64px_53v16"]
    assert (pair.train_counts, pair.class_names, pair.image_shape) == ((629, 210), ("Sparrow", "Flycatcher"), (64, 64, 3))
    assert DATASETS["imagenette_lt_64px_0v1"].train_counts == (300, 215)
    assert DATASETS["horse2zebra_256px"].image_shape == (256, 256, 3)


def spoilt(make, folder, file, *change):
    """The layout after ``change`` in one of its files, which replaces one text by another; without it, the file is removed."""
    make(folder)
    if change:
        text = (folder / file).read_text()
        assert change[0] in text
        (folder / file).write_text(text.replace(*change, 1))
    else:
        (folder / file).unlink()
    return folder


@pytest.mark.parametrize(
    ("make", "of", "file", "change", "words"),
    [
        (horses, "#zebra", "trainA/0-0.png", (), "has its classes in trainA and trainB: remove '#zebra'"),
        (birds, "", "images.txt", (), r"images.txt cannot be read: No such file"),
        (birds, "", "image_class_labels.txt", ("3 113\n", ""), r"image 3 \(113.Baird_Sparrow/0-2.png\) needs a line in"),
        (birds, "", "train_test_split.txt", ("3 1\n", "3\n"), r"train_test_split.txt, line 3: '3' must be two words: unpack"),
        (birds, "", "train_test_split.txt", ("3 1\n", "3 1 1\n"), r"train_test_split.txt, line 3: '3 1 1' must be two words"),
        (birds, "#order", "images/113.Baird_Sparrow/0-0.png", (), "unknown kind of class 'order': choose from family"),
        (birds, "", "images/113.Baird_Sparrow/0-0.png", (), r"images.txt names 1 file missing .*113.Baird_Sparrow/0-0.png"),
        (faces, "", "list_eval_partition.txt", (), r"write the attribute that is the class after the folder, such as set#S"),
        (faces, "#Smilling", "list_eval_partition.txt", (), "unknown attribute 'Smilling': did you mean 'Smiling'"),
        (faces, "#Smiling", "list_eval_partition.txt", (), "list_eval_partition.txt cannot be read: No such file"),
        (faces, "#Smiling", "list_attr_celeba.txt", ("0-1.png  1 -1", "0-1.png  1 0"), "0-1.png does not have -1 or 1 for each"),
        (faces, "#Smiling", "list_attr_celeba.txt", ("0-1.png  1 -1", "0-1.png  1"), "0-1.png does not have -1 or 1 for each"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_layout_is_one_sentence(make, of, file, change, words, tmp_path):
    folder = spoilt(make, tmp_path / "set", file, *change)
    with pytest.raises(UserError, match=words) as error:
        layout_at(f"{folder}{of}", "train")
    assert "\n" not in str(error.value)


def test_a_layout_without_one_of_its_parts_says_which(tmp_path):
    folder = horses(tmp_path / "set")
    for file in (folder / "testB").iterdir():
        file.unlink()
    layout_at(str(folder), "train")
    with pytest.raises(UserError, match="has no pictures in testB: a set in this layout has trainA, trainB, testA and testB"):
        layout_at(str(folder), "test")
    partition = faces(tmp_path / "celeba") / "list_eval_partition.txt"
    partition.write_text(partition.read_text().replace(" 2\n", " 0\n"))
    with pytest.raises(UserError, match="celeba has no pictures in the test split: unpack the set again"):
        layout_at(f"{tmp_path / 'celeba'}#Smiling", "test")


def test_a_choice_of_classes_where_there_is_none_to_make_is_told(tmp_path):
    plain = tree(tmp_path / "plain", FILES["train"], ("0", "1"))
    with pytest.raises(UserError, match=r"plain is not a folder in which '#Smiling' can choose the classes: remove '#Smiling'"):
        layout_at(f"{plain}#Smiling", "train")
    odd = tree(tmp_path / "odd#name", FILES["train"], ("0", "1"))
    assert len(layout_at(str(odd), "train").entries) == 7, "a folder may have such a name"
