"""The wheel is built, installed next to an empty folder, and used there without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.bench.harness import ROOT, cli

pytestmark = pytest.mark.slow
CACHES = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}


def pip(*arguments: object) -> None:
    """Run pip without a network, because the development requirements include what builds the wheel."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def entries() -> set[Path]:
    """The top-level entries of the checkout and of its two packages."""
    return {path for folder in (ROOT, ROOT / "bench", ROOT / "lt_core") for path in folder.iterdir() if path.name not in CACHES}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    before, folder = entries(), tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    assert entries() == before, "building leaves nothing behind"
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A function that runs a program, `lt-bench` by default, with the installed wheel, which hides the checkout."""
    site = tmp_path_factory.mktemp("site")
    pip("install", "--no-index", "--no-deps", "--target", site, wheel)

    def run(*arguments: str, cwd: Path, program: str | Path = site / "bin" / "lt-bench") -> str:
        environment = {**os.environ, "PYTHONPATH": str(site)}
        command = [str(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=240)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_holds_two_packages_and_all_that_they_need(wheel):
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    (info,) = {name.parts[0] for name in names} - {"bench", "lt_core"}
    assert info.endswith(".dist-info")
    there = {*map(str, names)}
    assert {"bench/py.typed", "lt_core/py.typed", f"{info}/licenses/LICENSE"} <= there
    assert "bench/report/page/templates/page.html" in there
    for folder, inside in (("search_spaces", "bench/search_spaces"), ("results/published", "bench/published")):
        ours = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.*")}
        assert ours == {name[len(inside) + 1 :] for name in there if name.startswith(f"{inside}/")}


@pytest.mark.parametrize("what", ["suites", "spaces"])
def test_it_lists_what_the_checkout_lists(what, installed, tmp_path):
    assert installed("list", what, "--json", cwd=tmp_path) == cli("list", what, "--json", cwd=tmp_path).stdout


def test_it_plans_and_runs_in_an_empty_folder(installed, tmp_path):
    assert "162 trials, 0 done, 0 failed, 162 left" in installed("plan", "quick", cwd=tmp_path)
    installed("run", "quick", "--limit", "1", "--backend", "inline", cwd=tmp_path)
    (record,) = (tmp_path / "results" / "runs" / "quick" / "records").glob("*.json")
    made = json.loads(record.read_text())
    committed = json.loads((ROOT / "results" / "quick" / "records" / record.name).read_text())
    assert made["status"] == "ok" and made["trial_id"] == committed["trial_id"]
    assert made["environment"]["git_commit"] is None, "it does not come from the checkout"


def test_it_reads_the_figures_that_papers_print_from_its_own_files(installed, tmp_path):
    code = "from bench.shipped import PUBLISHED_DIR; print((PUBLISHED_DIR / 'published.csv').resolve())"
    found = Path(installed("-c", code, cwd=tmp_path, program=sys.executable).strip())
    assert found.parts[-3:] == ("bench", "published", "published.csv") and not found.is_relative_to(ROOT)
    assert found.read_bytes() == (ROOT / "results" / "published" / "published.csv").read_bytes()
