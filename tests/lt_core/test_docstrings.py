"""Examples in docstrings: what `lt_core` exports for users has one, and each gives what it prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from pydoc import locate

import pytest

ROOT = Path(__file__).parents[2]
# In a fresh interpreter, since examples register methods and parts of their own.
ALL_EXAMPLES = """
import doctest, importlib, pkgutil, lt_core
names = ["lt_core", *(module.name for module in pkgutil.walk_packages(lt_core.__path__, "lt_core."))]
results = [doctest.testmod(importlib.import_module(name)) for name in names]
print(sum(result.failed for result in results), "failed")
"""


@pytest.mark.parametrize(
    "name",
    [
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
        "lt_core.training.run_trial",
    ],
)
def test_what_users_import_has_an_example(name):
    assert ">>> " in (locate(name).__doc__ or "")


def test_examples_give_what_they_print():
    done = subprocess.run([sys.executable, "-c", ALL_EXAMPLES], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, "0 failed\n"), done.stdout + done.stderr
