"""What must hold for every method, part, model, data set, recipe and metric, as checks that authors can run on their own code.

    python bench.py check my_loss.py               # one line per check

    from lt_core.testing import parametrize_with_checks     # the same in pytest, one test per check

    @parametrize_with_checks("my_loss.py")
    def test_my_loss(check):
        check()

    >>> from lt_core.testing import cases, run_checks
    >>> {cause for case, cause, seconds in run_checks(cases([("loss", "ldam")]))}  # nothing is wrong with it
    {''}

The benchmark's own tests run exactly these checks. Only `parametrize_with_checks` needs pytest.
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
    """All checks of what a plug-in file registers. There are none for things outside of trials, such as loggers.

    Raises:
        UserError: for the same reasons as in `lt_core.plugins.load`.
    """
    return cases((kind, name) for kind, name in plugins.registered(plugins.load(path)) if kind in REGISTRIES)


def parametrize_with_checks(*files: str | Path, **names: Sequence[str]) -> Any:
    """Decorator for a pytest function that calls its one argument, ``check``: one test per check.

    Args:
        files: plug-in files.
        names: kind → names of what is registered, for the methods of a package: ``method=["my_method"], loss=["my_loss"]``.

    Raises:
        UserError: a file cannot be loaded, or a name is not registered.
    """
    import pytest

    found = [case for file in files for case in cases_of_file(file)]
    found += cases((kind, name) for kind, group in names.items() for name in group)
    return pytest.mark.parametrize("check", found, ids=lambda case: case.id)
