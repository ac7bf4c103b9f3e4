"""Rule 5: which package may import which, tested in fresh interpreters; and no module imports itself through others."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_graph import circle, import_graph

ROOT = Path(__file__).parents[2]
ALL_OF_LT_CORE = """
import importlib, pkgutil, lt_core
for module in pkgutil.walk_packages(lt_core.__path__, "lt_core."):
    importlib.import_module(module.name)
assert "lt_core.training.trial" in sys.modules
"""
TABLES = """
import importlib, pkgutil, bench.analysis, bench.report
for package in (bench.analysis, bench.report):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""

TRAINING = """
from lt_core.testing.trials import fitting_spec
from lt_core.training import run_trial
for method in ("softmax", "meta_weight_net", "balanced_meta_softmax", "joint_aug"):
    assert run_trial(fitting_spec(method)).status == "ok"
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (ALL_OF_LT_CORE, ("ray", "optuna", "bench", "pytest")),
        (TABLES, ("torch", "ray", "optuna", "matplotlib", "plotly", "scipy")),
        ("import lt_core, lt_core.spec, lt_core.recipes, lt_core.metrics", ("torch",)),
        (TRAINING, ("torch._dynamo", "torch._inductor", "sympy")),
        ("import bench.cli.app", ("torch", "numpy", "pandas", "yaml", "ray", "optuna", "matplotlib", "lt_core.spec")),
    ],
    ids=[
        "lt_core knows no harness",
        "tables and charts know no tensors",
        "specs need no torch",
        "no training waits for the compiler",
        "help waits for nothing",
    ],
)
def test_imports_go_one_way(code, absent):
    check = f"import sys\n{code}\nprint(*[m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_modules_form_no_circle():
    """This includes imports for type checkers and those inside functions: a module imports only from lower layers."""
    found = circle(import_graph(ROOT / "lt_core"))
    assert not found, f"a circle of imports: {' → '.join(found)}; what they share belongs in a module below them"


@pytest.fixture
def package(tmp_path):
    """A package's name, and a function that writes the package from files and gives its graph of imports."""

    def write(files):
        for name, text in files.items():
            file = tmp_path / "pkg" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / "__init__.py").touch()
            file.write_text(text)
        return import_graph(tmp_path / "pkg")

    return write


@pytest.mark.parametrize(
    "back",
    [
        "import pkg.a",
        "from pkg import a",
        "from pkg.a import name",
        "from . import a",
        "from .a import name",
        "def f():\n    from pkg.a import name",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.a import name",
    ],
)
def test_a_circle_is_found_however_it_is_written(package, back):
    assert circle(package({"a.py": "import pkg.b", "b.py": "import pkg.c", "c.py": "import os"})) == []
    found = circle(package({"a.py": "import pkg.b", "b.py": "import pkg.c", "c.py": back}))
    assert len(found) == 4 and found[0] == found[-1]
    assert set(itertools.pairwise(found)) == {("pkg.a", "pkg.b"), ("pkg.b", "pkg.c"), ("pkg.c", "pkg.a")}


def test_a_package_runs_before_what_is_imported_from_it(package):
    """``one.a`` needs ``two.b``, which needs nothing; but ``two`` needs ``one``."""
    files = {"one/a.py": "from pkg.two.b import name", "one/__init__.py": "from pkg.one.a import name", "two/b.py": ""}
    assert package(files)["pkg.one.a"] == {"pkg.two", "pkg.two.b"}
    assert circle(package(files)) == [], "a module does not wait for its own package, which runs already"
    assert "pkg.two" in circle(package({**files, "two/__init__.py": "from pkg.one import name"}))
