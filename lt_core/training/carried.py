"""A trial as it is handed to another process, with what that process need not have: plug-in files and image sets of one's own."""

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
    """The trial in values that JSON knows."""
    source = DATASETS[spec.data.dataset].source
    return {
        "spec": spec.to_dict(),
        "plugins": [asdict(plugin) for plugin in plugins.loaded()],
        "set": asdict(source) if isinstance(source, Definition) else None,
    }


def received(trial: dict[str, Any]) -> TrialSpec:
    """The inverse of `carried`; what came with the trial is registered in this process.

    Raises:
        UserError: something that the trial needs and that this machine lacks, such as a package.
    """
    if trial["set"]:
        lend(trial["set"])
    for file in trial["plugins"]:
        plugins.activate(plugins.Plugin(**file))
    return TrialSpec.from_dict(trial["spec"])


def environment() -> dict[str, str]:
    """Environment variables of a process of ours that is to import what this one can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
