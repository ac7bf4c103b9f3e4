"""What must hold for every method, part, model, data set, recipe and metric, as checks that authors run on their own.

    python bench.py check my_loss.py               # a line a check

    from lt_core.testing import parametrize_with_checks     # the same in pytest, a test a check

    @parametrize_with_checks("my_loss.py")
    def test_my_loss(check):
        check()

    >>> from lt_core.testing import cases, run_checks
    >>> {cause for case, cause, seconds in run_checks(cases([("loss", "ldam")]))}  # nothing is wrong with it
    {''}

The benchmark's own tests call exactly these. pytest is needed by `parametrize_with_checks` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lt_core import plugins
from lt_core.testing import (  # noqa: F401  (they register)
    datasets,
    heads,
    losses,
    methods,
    metrics,
    models,
    new_images,
    on_gpu,
    parts,
    posthocs,
    recipes,
    recording,
    regularizers,
    samplings,
    schedules,
    stages,
    steps,
    trainings,
    weights,
)
from lt_core.testing.check import CHECKS, REGISTRIES, Case, Check, CheckFailed, cases, run_checks

__all__ = [
    "CHECKS", "REGISTRIES", "Case", "Check", "CheckFailed", "cases", "cases_of_file", "parametrize_with_checks", "run_checks",
]  # fmt: skip


def cases_of_file(path: str | Path) -> list[Case]:
    """All checks of what a plug-in file registers.

    Raises:
        UserError: what `lt_core.plugins.load` raises.
    """
    return cases(plugins.registered(plugins.load(path)))


def parametrize_with_checks(*files: str | Path, **names: Sequence[str]) -> Any:
    """Decorator for a pytest function with one argument, ``check``, which it is to call: a test for each check.

    Args:
        files: plug-in files.
        names: kind → names of what is registered, for the methods of a package: ``method=["my_method"], loss=["my_loss"]``.

    Raises:
        UserError: a file that cannot be loaded, or something that is not registered.
    """
    import pytest

    found = [case for file in files for case in cases_of_file(file)]
    found += cases((kind, name) for kind, group in names.items() for name in group)
    return pytest.mark.parametrize("check", found, ids=lambda case: case.id)
