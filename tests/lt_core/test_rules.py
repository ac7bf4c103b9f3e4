"""Rule 5: which package may import which. Each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (ALL_OF_LT_CORE, ("ray", "optuna", "bench")),
        (TABLES, ("torch", "ray", "optuna", "matplotlib", "plotly", "scipy")),
        ("import lt_core, lt_core.spec, lt_core.recipes, lt_core.metrics", ("torch",)),
    ],
    ids=["lt_core knows no harness", "tables and charts know no tensors", "specs need no torch"],
)
def test_imports_go_one_way(code, absent):
    check = f"import sys\n{code}\nprint(*[m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
