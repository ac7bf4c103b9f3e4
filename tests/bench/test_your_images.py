"""docs/your-images.md: its commands run on pictures in the layouts that it names, and a set travels with its trials."""

from __future__ import annotations

import json
import re

import pytest

from bench.records.store import Store
from bench.running.backends.base import Job
from bench.running.backends.ray_trial import packed, steps
from lt_core.data import registered
from lt_core.data.pictures import add_set
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.result import OK
from lt_core.spec import DataSpec
from lt_core.testing.trials import tiny_spec
from lt_core.training import Runtime
from tests.bench.pages import Page
from tests.pictures import KINDS, header, pictures, tree

PAGE = Page("docs/your-images.md")
TRAIN, TEST = pictures((40, 12, 12)), pictures((4, 4, 4), start=500)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the page, and pictures where it looks for them."""
    monkeypatch.setenv("LT_SETS", str(tmp_path / "sets"))
    for name, text in PAGE.files.items():
        (tmp_path / name).write_text(text)
    tree(tmp_path / "pictures" / "train", TRAIN, ("ash", "birch", "cedar"))
    tree(tmp_path / "pictures" / "test", TEST, ("ash", "birch", "cedar"))
    found = sorted((tmp_path / "pictures").glob("train/**/*.png"))
    lines = [f"{path.relative_to(tmp_path / 'pictures')} {path.name[0]}\r\n" for path in found]
    (tmp_path / "pictures" / "list.txt").write_text("".join(lines))
    (tmp_path / "moths").mkdir()
    rows = []
    for name, label, content in [*TRAIN, *TEST]:
        (tmp_path / "moths" / name).write_bytes(content)
        rows.append(f"{name},species {label},{'test' if (name, label, content) in TEST else 'train'}\n")
    (tmp_path / "moths" / "moths.csv").write_text("".join(["file,species,part\n", *rows]))
    return tmp_path


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs(folder, call):
    said = {}
    for words in PAGE.commands:
        short = ["--epochs", "1", "--seeds", "1"] if words[0] == "run" else []
        code, out, err = call(*words, *short)
        assert code == 0, f"{words}: {err}{out}"
        said[" ".join(words)] = out
    added, shown = (
        next(text for words, text in said.items() if words.startswith(f"data {what} mine")) for what in ("add", "show")
    )
    assert re.search(r"mine@[0-9a-f]{8}: 3 classes, 64 training images \(40…12 per class\), 12 test images, 32 × 32", added)
    assert "factor 3.33333, Gini 0.292; 0 many-shot, 1 medium-shot and 2 few-shot classes" in shown
    assert re.search(r"ash +40 █{40}\n  birch +12 █{12}\n", shown)
    assert "58 training images" in said[" ".join(next(words for words in PAGE.commands if "drawn" in words))]
    assert said["data verify mine"] == "mine: every file is as it was\n"
    assert said["check moths.py"].endswith("4 checks: 4 passed, 0 failed\n")
    frame = Store(folder / "results" / "runs" / "mine").frame()
    assert set(frame["status"]) == {"ok"} and len(frame) == 3
    assert frame["dataset"].iloc[0].startswith("mine@") and frame["imbalance_factor"].iloc[0] == pytest.approx(40 / 12)


def test_the_plug_in_is_as_short_as_promised():
    assert len(PAGE.files["moths.py"].splitlines()) <= 15


def test_bad_input_is_one_sentence_and_exit_code_2(folder, call):
    for words, sentence in (
        (["data", "add", "mine", "--train", "nowhere"], r"error: .*nowhere does not exist: give a folder .*"),
        (["data", "show", "mine"], r"error: unknown set of pictures 'mine': none is registered"),
        (
            ["data", "add", "digits", "--train", "pictures/train"],
            r"error: dataset 'digits' already exists: choose another name",
        ),
    ):
        code, _, err = call(*words)
        assert code == 2 and re.fullmatch(sentence + "\n", err), err


def test_a_trial_takes_its_set_along(folder, monkeypatch):
    """As Ray sends it to a node that has the pictures but not the file that defines the set."""
    add_set("mine", folder / "pictures" / "train", folder / "pictures" / "test", size=8)
    spec = tiny_spec(data={"dataset": DATASETS.versioned("mine"), "imbalance_type": "natural"})
    job = json.loads(packed(Job(spec, Runtime(device="cpu")), 0))
    monkeypatch.setenv("LT_SETS", str(folder / "elsewhere"))
    monkeypatch.setattr(registered, "_lent", {})
    load_set.cache_clear()
    *_, result = steps(job)
    assert (result.status, result.train_counts) == (OK, [40, 12, 12])
    assert result.environment["data_fingerprint"].startswith(spec.data.dataset.partition("@")[2])
    assert DataSpec(spec.data.dataset, imbalance_type="natural").dataset in DATASETS


def test_all_that_is_odd_about_files_is_told_when_a_set_is_added(folder, call):
    """Unusable pictures are left out and named, and so are findings about the content: copies, and test pictures that are also in
    the training set.
    """
    train, root = folder / "pictures" / "train", folder / "pictures"
    one = next(train.glob("ash/**/*.png"))
    (train / "birch" / "empty.jpg").write_bytes(b"")
    (train / "birch" / "torn.png").write_bytes(one.read_bytes()[:-40])
    (train / "birch" / "huge.png").write_bytes(header(20_000, 20_000))
    (train / "birch" / "same.png").write_bytes(one.read_bytes())
    (train / "birch" / "leaked.png").write_bytes(next((root / "test").glob("birch/**/*.png")).read_bytes())
    for kind in ("CMYK", "16 bits", "animated", "one pixel"):
        (train / "birch" / f"{kind}.tif").write_bytes(KINDS[kind][0])
    code, out, err = call("data", "add", "odd", "--train", str(train), "--test", str(root / "test"), "--size", "8")
    assert (code, err) == (0, "")
    assert all(line in out for line in (
        "1 picture: CMYK", "1 picture: 16 bits per channel", "1 picture: animated, only the first frame is used",
        "birch/empty.jpg (the file is empty)", "birch/torn.png (", "birch/huge.png (it exceeds the limit of 179 million pixels)",
        "3 unreadable files left out:", "1 picture identical to one with another label",
        "1 picture in the test set and also in the training set",
    )), out  # fmt: skip
    assert "3 classes, 70 training images (40…12 per class)" in out
