"""docs/joint.md: its commands run on small sets in the layouts that it names."""

from __future__ import annotations

import pytest

from bench.suites.suite import load_suite
from lt_core.data.longtail import training_sizes
from tests.bench.pages import Page, shortened
from tests.layouts import birds, faces, horses

PAGE = Page("docs/joint.md")


@pytest.fixture
def folder(tmp_path, empty_folders):
    """A data folder with a set in each layout, and the files of the page."""
    for make, name in ((horses, "apple2orange"), (faces, "celeba"), (birds, "CUB_200_2011")):
        make(tmp_path / "data" / name)
    for name, text in PAGE.files.items():
        small = text.replace("subset_seeds: 3", "subset_seeds: 1").replace("base: photos_pair", "base: digits")
        (tmp_path / name).write_text(small)
    return tmp_path


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs(folder, call):
    said = {}
    for words in PAGE.commands:
        short = {"epochs": "1", "seeds": "1"} if words[0] == "run" else {}
        words = [word.replace("64", "16") if words[:2] == ["data", "add"] else word for word in words]
        code, out, err = call(*shortened(words, **short))
        assert code == 0, f"{words}: {err}{out}"
        said[words[0] if words[0] != "data" else " ".join(words[:3])] = out
    assert "not Smiling" in said["data show smiling"] and "7 training images (5…2 per class)" in said["data show smiling"]
    shown = said["table"]
    assert "families_1v0" in shown and "fruit" in shown and "Joint, AUG [minority_beta=0.999]" in shown


@pytest.mark.parametrize(
    ("suite", "large", "small"),
    [
        ("joint_horse2zebra", 1050, (25, 50, 75, 100)),
        ("joint_celeba", 1200, (50, 100, 200, 300, 400, 500)),
        ("joint_cub", 600, (12, 25, 50, 75, 100, 125)),
        ("joint_balanced", 1000, (1000,)),
    ],
)
def test_the_suites_have_the_sizes_of_the_page(suite, large, small):
    found = {tuple(training_sizes(spec.data)) for spec in load_suite(suite).specs}
    assert sorted(found) == [(large, n) for n in small]
    assert f"| `{suite}` |" in PAGE.text and f"{large:,} " in PAGE.text


def test_missing_data_is_one_sentence_that_says_what_to_get(folder, call):
    for suite, words in (
        ("joint_cub", "cub_families_128px: "),
        ("joint_horse2zebra", "horse2zebra_128px: "),
    ):
        code, _, err = call("run", suite, "--backend", "inline", "--data", "data")
        assert code == 2 and err.startswith(f"error: {words}") and err.count("\n") == 1, err
