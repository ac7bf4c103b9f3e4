"""Methods, models and metrics of other installed packages, found by their entry points."""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points

#: Entry points under which packages offer methods (and parts of methods) and metrics.
OF_METHODS, OF_METRICS = "lt_bench.methods", "lt_bench.metrics"


def load_external(group: str) -> None:
    """Import the modules that installed packages name under the entry point ``group``, such as `OF_METHODS`, so that they
    register their contents.
    """
    for entry in entry_points(group=group):
        try:
            entry.load()
        except Exception as error:  # a failure in somebody else's package must not stop the benchmark
            warnings.warn(f"{group.rpartition('.')[2]} of {entry.value} are not available: {error}", stacklevel=2)


def offering_packages() -> dict[str, str]:
    """Name → version of the installed packages that use one of these entry points."""
    offered = [entry for group in (OF_METHODS, OF_METRICS) for entry in entry_points(group=group)]
    return {entry.dist.name: entry.dist.version for entry in offered if entry.dist}
