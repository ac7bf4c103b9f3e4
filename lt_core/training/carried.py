"""A trial as passed to another process, with what that process may lack: plug-in files and the user's own image sets."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Any

from lt_core import plugins
from lt_core.data.registered import Definition, lend
from lt_core.data.sets import DATASETS
from lt_core.spec import TrialSpec


def carried(spec: TrialSpec) -> dict[str, Any]:
    """The trial as JSON values."""
    source = DATASETS[spec.data.dataset].source
    return {
        "spec": spec.to_dict(),
        "plugins": [asdict(plugin) for plugin in plugins.loaded()],
        "set": asdict(source) if isinstance(source, Definition) else None,
    }


def received(trial: dict[str, Any]) -> TrialSpec:
    """The inverse of `carried`; what came with the trial is registered in this process.

    Raises:
        UserError: this machine lacks something that the trial needs, such as a package.
    """
    if trial["set"]:
        lend(trial["set"])
    for file in trial["plugins"]:
        plugins.activate(plugins.Plugin(**file))
    return TrialSpec.from_dict(trial["spec"])


def environment() -> dict[str, str]:
    """Environment variables for a child process that must be able to import what this one can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
