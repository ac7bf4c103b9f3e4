"""The README and the pages of docs/: the commands that they show at a prompt run on small settings, and all others are valid."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

import pytest
import typer

from bench.cli.app import app
from bench.suites.grid import Grid
from bench.suites.suite import load_suite, suite_names
from bench.tuning.space import space_names
from lt_core.cache import cache_dir
from tests.bench.harness import ROOT
from tests.bench.pages import Page, every_page, shortened

#: Options that make a command of the guide short: a few trials of an epoch or two, without Ray.
SHORT = {
    "run": {"backend": "inline", "limit": "1", "epochs": "2", "seeds": "1"},
    "tune": {"backend": "inline", "fresh_seeds": "1"},
}


def parsed(words: list[str]) -> None:
    """Parse a command as the command line does, without running it."""
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands"):
        context = command.make_context(words[0], [], parent=context, resilient_parsing=True)
        command, words = command.commands[words[0]], words[1:]
    given = command.make_context("bench.py", list(words), parent=context).params
    grid = Grid(**{field.name: given.get(field.name) for field in dataclasses.fields(Grid)})
    if "save_suite" in given and grid.options():
        assert not given["suites"], "No such option"
        grid.content()


@pytest.mark.parametrize("page", every_page(), ids=lambda page: page.name)
def test_every_command_of_the_documentation_is_one_that_there_is(page):
    names = {"run": suite_names(), "plan": suite_names(), "features": suite_names(), "tune": space_names()}
    for words in page.every_command:
        parsed(words)
        if words[0] in names and words[1][0] != "-" and words[1].islower() and not words[1].endswith(".yaml"):
            assert words[1] in names[words[0]], f"{page.name}: {' '.join(words)}"


def test_commands_that_there_are_not_are_found():
    grid = ["run", "--dataset", "digits", "--methods", "softmax", "--name", "mine"]
    for words, said in (
        (["run", "quick", "--colour", "red"], "No such option"),
        (["run", "quick", "--sseeds", "3"], "[Nn]o such option"),
        ([*grid, "--colour", "red"], "unknown option"),
        (["tune"], "[Mm]issing"),
    ):
        with pytest.raises(Exception, match=said):
            parsed(words)


def run_page(page: Page, call, folder, changes: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Run the commands of a page in a folder with its files, after ``changes`` to their text, and return what each printed."""
    for name, text in page.files.items():
        assert all(text.count(old) == 1 for old in changes), f"{page.name}: {name}"
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    said = {}
    for words in page.commands:
        code, out, err = call(*shortened(words, **SHORT.get(words[0], {})))
        assert code == 0, f"{page.name}: {' '.join(words)}\n{err}{out}"
        said[" ".join(words)] = out
    return said


@pytest.mark.slow
def test_the_page_on_running(call, tmp_path):
    said = run_page(Page("docs/run.md"), call, tmp_path)
    assert "162" in said["plan quick"]
    assert "ldam_drw" in said["list methods ldam*"]


@pytest.mark.slow
def test_the_page_on_tuning(call, tmp_path):
    """With one seed, one imbalance factor and two epochs in the page's space, and the committed rows that it draws."""
    shutil.copytree(ROOT / "results" / "equal_budget_cifar10", tmp_path / "results" / "equal_budget_cifar10")
    changes = {"recipe: digits\n": "recipe: {base: digits, epochs: 2}\n", "seeds: 3\n": "seeds: 1\n", "[50, 100]": "50"}
    said = run_page(Page("docs/tune.md"), call, tmp_path, changes)
    table = said["tune small.yaml --trials 2 --sampler random"]
    assert "class_balanced, tuned" in table and "logit_adjusted, tuned" in table
    assert (tmp_path / "gains.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_the_page_on_reading(call, tmp_path):
    """Its commands run on the committed rows of `quick`."""
    shutil.copytree(ROOT / "results" / "quick", tmp_path / "results" / "runs" / "quick")
    said = run_page(Page("docs/read.md"), call, tmp_path)
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    assert "logit_adjusted" in said["compare quick --against softmax"]
    assert "known prior" in said["priors kept/quick"]


def test_the_page_on_metrics(call, tmp_path):
    shutil.copytree(ROOT / "results" / "quick", tmp_path / "results" / "runs" / "quick")
    said = run_page(Page("docs/metrics.md"), call, tmp_path)
    assert said["check two_worst.py"].endswith(" passed, 0 failed\n")
    assert "mean recall of the two worst classes" in list(said.values())[-1]


@pytest.mark.slow
def test_the_page_on_frozen_backbones(call, tmp_path):
    """Its file of views, at 32 pixels; each view has a folder of its own in the cache that the page names."""
    said = run_page(Page("docs/frozen.md"), call, tmp_path, {"size=112": "size=32"})
    assert "size=32,weights=57934424,views=3]" in said["run views.yaml"]
    folders = [path.name for path in (cache_dir() / "features").glob("digits-*") if path.is_dir()]
    assert sorted(name.split("-")[2] for name in folders if "-view" in name) == ["view1", "view2"] and len(folders) == 3


@pytest.mark.slow
def test_the_page_on_the_library(tmp_path):
    """Each block runs in a process of its own, with fewer trials and epochs than on the page."""
    for block in Page("docs/library.md").python():
        short = block.replace('only="cb_*", backend', 'only="cb_*", limit=2, epochs=2, backend')
        done = subprocess.run([sys.executable, "-c", short], capture_output=True, text=True, cwd=tmp_path, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_the_readme_is_short_and_its_suite_and_library_are_those_of_the_pages(tmp_path):
    readme = Page("README.md")
    assert len(readme.text.splitlines()) <= 180
    assert readme.python()[0] == Page("docs/library.md").python()[0]
    (suite,) = (text for text in readme.text.split("```yaml\n")[1:])
    (tmp_path / "mine.yaml").write_text(suite.split("```")[0])
    assert len(load_suite(tmp_path / "mine.yaml").specs) == 2 * (1 + 4 + 2 + 1) * 3
