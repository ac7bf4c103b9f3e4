"""docs/standard-sets.md: its tables agree with the registry, and its commands run on small sets in the layouts that it shows."""

from __future__ import annotations

import json
import re

import pytest

from bench.records.store import Store
from bench.suites import cost
from lt_core.data.sets import DATASETS
from lt_core.data.standard import git_of, md5_of
from lt_core.data.standard_sets import STANDARD
from tests import standard_table
from tests.bench.pages import Page
from tests.standard_trees import animals, annotate, by_class, fill, listing, lists, shrunken

PAGE = Page("docs/standard-sets.md")


@pytest.fixture
def folder(tmp_path, empty_folders, monkeypatch):
    """A data folder with small versions of Places-LT and iNaturalist 2018, next to the files of the page."""
    known = {which: {"md5": (md5_of(listing(which, by_class)),)} for which in ("train", "test")}
    monkeypatch.setitem(DATASETS._items, "places_lt", shrunken("places_lt", **known))
    inat = shrunken(
        "inat2018", train={"git": git_of(listing("train", animals))}, test={"md5": (md5_of(listing("test", animals)),)}
    )
    monkeypatch.setitem(DATASETS._items, "inat2018", inat)
    lists(tmp_path / "data" / "lists", "places_lt", by_class)
    fill(tmp_path / "data" / "places", by_class)
    annotate(tmp_path / "data")
    fill(tmp_path / "data", animals)
    for name, text in PAGE.files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_tables_are_those_of_the_registry():
    assert standard_table.written() == standard_table.tables(), "run python -m tests.standard_table"
    for name in STANDARD:
        assert standard_table.tables().count(f"| `{name}` |") >= 3


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs(folder, call):
    said = {}
    for words in PAGE.commands:
        short = ["--epochs", "1", "--seeds", "1"] if words[0] == "run" else []
        code, out, err = call(*words, *short)
        assert code == 0, f"{words}: {err}{out}"
        said[" ".join(words)] = out
    shown = said["data show places_lt --data data"]
    assert re.search(r"Places_LT_train.txt: 11 images of 3 classes, known md5\n", shown)
    assert re.search(r"test +\S+Places_LT_test.txt: 6 images of 3 classes, known md5; the validation set of Places365", shown)
    assert "all 17 were found below" in shown and "not yet; the first run writes" in shown and "factor 3, Gini 0.242" in shown
    assert "places_lt_32px: 2 methods × 1 imbalance (natural IF 3) × 3 seeds" in said["plan places.yaml"]
    assert said["data verify places_lt_32px --data data"] == "places_lt_32px: every file is as it was\n"
    assert "validation    Places_LT_val.txt or its pictures not found" in shown
    written = said["data list inat2018 --annotations data/train2018.json"]
    assert "iNaturalist18_train.txt: 11 images of 3 classes, the copy found in many repositories" in written
    assert (folder / "data" / "iNaturalist18_val.txt").read_bytes() == listing("test", animals)
    frame = Store(folder / "results" / "runs" / "places").frame()
    assert set(frame["status"]) == {"ok"} and set(frame["dataset"]) == {"places_lt_32px"} and set(frame["train_images"]) == {11}
    _, again, _ = call("data", "show", "places_lt_32px", "--data", "data", "--out", "profile.svg")
    assert re.search(r"\nplaces_lt_32px: 3 classes, 11 training images \(6…2 per class\), 6 test images, 32 × 32 pixels\n", again)
    assert (folder / "profile.svg").exists()


def test_a_plan_of_all_sets_needs_no_picture(call, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "calibrate", lambda spec: 1e-6)  # a head of 8,142 classes takes seconds per step
    names = ", ".join(f"{name}_8px" for name in STANDARD)
    (tmp_path / "all.yaml").write_text(
        f"about: all\nrecipe: {{base: digits, model: mlp, epochs: 1}}\nmethods: softmax\nseeds: 1\n"
        f"data: {{dataset: [{names}], imbalance_type: natural}}\n"
    )
    code, out, err = call("plan", "all.yaml")
    assert code == 0, err
    assert re.findall(r"(\w+)_8px: .*\(natural IF (\S+)\)", out) == [
        ("imagenet_lt", "256"), ("places_lt", "996"), ("inat2017", "435"), ("inat2018", "500"), ("ilsvrc2012", "1.78"),
        ("imagenette_lt", "20"), ("horse2zebra", "1.25"), ("celeba_male", "1.38"), ("cub", "1.03"), ("cub_families", "25"),
    ]  # fmt: skip


def test_a_list_of_sets_has_their_sizes(call):
    _, out, _ = call("list", "datasets", "inat2018", "--json")
    (inat,) = json.loads(out)
    assert (inat["classes"], inat["train_images"], inat["test_count"], inat["imbalance_factor"]) == (8142, 437_513, 24_426, 500)
    assert inat["train_counts"] is None and inat["image_shape"] == [224, 224, 3]
    _, out, _ = call("list", "datasets", "places_lt", "--json")
    assert max(json.loads(out)[0]["train_counts"]) == 4980


def test_bad_input_is_one_sentence_and_exit_code_2(folder, call):
    for words, sentence in (
        (["data", "show", "imagenet_lt", "--data", "data"], r"error: imagenet_lt: no ImageNet_LT_train.txt in .*: put .*"),
        (["data", "show", "imagenet_lt", "--data", "none"], r"error: the data folder .*/none does not exist: set --data .*"),
        (
            ["data", "verify", "places_lt", "--data", "data"],
            r"error: places_lt: there is nothing to verify, because its pictures have not been decoded.*",
        ),
        (["data", "list", "inat2018", "--annotations", "places.yaml"], r"error: places.yaml does not contain annotations .*"),
        (["data", "add", "inat2018", "--train", "data"], r"error: dataset 'inat2018' already exists: choose another name"),
    ):
        code, _, err = call(*words)
        assert code == 2 and re.fullmatch(sentence + "\n", err), err
