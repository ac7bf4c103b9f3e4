"""Examples in docstrings: everything that `lt_core` and `bench` export for users has one, and each gives the output it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from pydoc import locate

import pytest

import bench

ROOT = Path(__file__).parents[1]
# Run in a fresh interpreter, because examples register methods and parts of their own.
ALL_EXAMPLES = """
import doctest, importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [package.__name__, *(module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."))]
results = [doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS) for name in names]
print(sum(result.failed for result in results), "failed")
"""
LT_CORE = (
    "lt_core",
    "lt_core.fields.param",
    "lt_core.methods.method",
    "lt_core.methods.resolve",
    "lt_core.metrics.expected_calibration_error",
    "lt_core.metrics.metric",
    "lt_core.parts.part",
    "lt_core.recipes.Recipe",
    "lt_core.result.TrialResult",
    "lt_core.spec.DataSpec",
    "lt_core.spec.TrialSpec",
    "lt_core.testing",
    "lt_core.trained.Trained",
    "lt_core.training.run_trial",
)
BENCH = (
    "bench",
    *(f"bench.{name}" for name in bench.__all__ if name not in ("Plan", "Space", "Suite")),
)  # `load_suite` and so on make these


@pytest.mark.parametrize("name", [*LT_CORE, *BENCH])
def test_what_users_import_has_an_example(name):
    assert ">>> " in (locate(name).__doc__ or "")


@pytest.mark.parametrize("package", ["lt_core", "bench"])
def test_examples_give_what_they_print(package):
    command = [sys.executable, "-c", ALL_EXAMPLES, package]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, "0 failed\n"), done.stdout + done.stderr
