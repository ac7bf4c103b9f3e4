"""docs/porting.md: its files are the examples, its commands run, and they show what the page says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bench.records.store import Store
from tests.bench.harness import ROOT
from tests.bench.pages import Page

PAGE = Page("docs/porting.md")
EXAMPLES = ROOT / "docs" / "examples"


def test_the_files_of_the_page_are_the_examples():
    assert {name for name in PAGE.files if (EXAMPLES / name).exists()} == {path.name for path in EXAMPLES.glob("*.py")}
    for path in EXAMPLES.glob("*.py"):
        assert PAGE.files[path.name] == path.read_text()
    assert set(PAGE.files) == {
        "vs_loss.py",
        "mine.yaml",
        "paste.py",
        "with_paste.yaml",
        "hunt.yaml",
        "two_worst.py",
        "test_mine.py",
    }


@pytest.mark.parametrize(("name", "lines"), [("vs_loss.py", 25), ("paste.py", 60), ("two_worst.py", 10)])
def test_they_are_as_short_as_the_page_says(name, lines):
    written = len(PAGE.files[name].splitlines())
    assert written <= lines and re.search(rf"\b{written}\b", PAGE.text.split("## What the script says")[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the page."""
    made = tmp_path_factory.mktemp("page")
    for name, text in PAGE.files.items():
        (made / name).write_text(text)
    return made


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs(folder, call, monkeypatch):
    """They run in order. Trainings are short and in this process; test_cluster.py tests plug-ins on Ray."""
    said = {}
    monkeypatch.chdir(folder)
    for words in PAGE.commands:
        short = ["--epochs", "2", "--seeds", "1"] if words[0] == "run" else []
        short += ["--backend", "inline"] if words[0] == "run" and "--backend" not in words else []
        code, out, err = call(*words, *short)
        assert code == 0, f"{words}: {err}{out}"
        said[" ".join(words)] = out
    for name in ("vs_loss.py", "paste.py", "two_worst.py"):
        assert said[f"check {name}"].endswith(" passed, 0 failed\n")
    store = Store(folder / "results" / "runs" / "mine")
    (label,) = {x for x in store.frame()["label"] if re.fullmatch(r"my_vs@[0-9a-f]{8}", x)}
    assert set(store.frame()["status"]) == {"ok"} and len(store.frame()) == 6
    for command in ("run mine.yaml", "compare mine", "leaderboard --run mine"):
        assert label in said[command] and "ldam_drw" in said[command]
    assert "mean recall of the two worst classes" in said["table catalogue --run mine --metric two_worst --plugin two_worst.py"]
    with_paste = said["run with_paste.yaml --backend inline"]
    assert all(re.search(rf"my_paste@[0-9a-f]{{8}}{rest}", with_paste) for rest in (r"\b", r"\[loss=my_vs@", r"\[loss=ldam,"))


def test_pytest_collects_each_check_of_the_files(folder):
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stdout
    for case in ("loss-my_vs-it_is_one_number_an_image", "method-my_paste-it_learns_a_small_batch_by_heart"):
        assert f"test_mine.py::test_mine[{case}]" in done.stdout
