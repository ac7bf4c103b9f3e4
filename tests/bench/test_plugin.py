"""The example of docs/adding-a-method.md, installed like another package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from bench.records.store import Store
from tests.bench.harness import ROOT, command

DOC = (ROOT / "docs" / "adding-a-method.md").read_text()


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", DOC, re.S)[1]


@pytest.fixture
def installed(tmp_path):
    """A folder that holds the example as an installed distribution."""
    site = tmp_path / "site"
    info = site / "lt_smooth-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "lt_smooth.py").write_text(block("python"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lt-smooth\nVersion: 1.0\n")
    name, target = re.search(r'(\w+) = "(\w+)"', block("toml")).groups()
    (info / "entry_points.txt").write_text(f"[lt_bench.methods]\n{name} = {target}\n")
    return site


def call(site, *arguments):
    return python(site, *command(*arguments)[1:])


def python(site, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    words = [sys.executable, *arguments]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=200, cwd=ROOT)


def test_the_example_is_short():
    assert len((block("python") + block("toml")).splitlines()) <= 40


def test_a_method_from_outside_is_listed_and_runs_on_ray_and_is_neutral(installed, tmp_path, write_suite):
    listed = call(installed, "list", "methods", "label_smoothing", "--json")
    (method,) = json.loads(listed.stdout)
    assert method["neutral"] == {"at": {"smoothing": 0.0}, "equals": "softmax", "reason": ""}
    suite = write_suite(methods=["softmax", {"label_smoothing": {"smoothing": [0.0, 0.2]}}], seeds=1)
    done = call(installed, "run", suite, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    frame = Store.open(tmp_path / "tiny").frame().set_index(["label", "imbalance_factor"])
    assert set(frame["status"]) == {"ok"}
    assert all(json.loads(text)["packages"]["lt-smooth"] == "1.0" for text in frame["environment"])
    for factor in (10, 50):
        plain, neutral = (frame.loc[(label, factor), "ece"] for label in ("softmax", "label_smoothing[smoothing=0]"))
        assert plain == neutral != frame.loc[("label_smoothing[smoothing=0.2]", factor), "ece"]


def test_it_is_asked_for_no_entry_among_our_references(installed):
    code = "from lt_core.methods import BUILT_IN, METHODS; print(*sorted(set(METHODS) - set(BUILT_IN)))"
    assert python(installed, "-c", code).stdout.split() == ["label_smoothing"]


def test_a_broken_package_is_warned_of_and_takes_nothing_down(installed):
    """Packages are loaded for every listing, because they may also register recipes, models and data sets."""
    (installed / "lt_smooth.py").write_text("raise RuntimeError('half installed')")
    done = call(installed, "list", "recipes", "digits")
    assert done.returncode == 0
    assert "small_cnn" in done.stdout
    assert "methods of lt_smooth are not available: half installed" in done.stderr
