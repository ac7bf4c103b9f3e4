"""What the benchmarks share: spreads, one table, one JSON file, and the machine they ran on. Light: torch comes late."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def cells(self, digits: int = 0) -> list[str]:
        """n, median and range, as a table shows them."""
        return [
            str(len(self.values)),
            f"{self.median:,.{digits}f}",
            f"{self.low:,.{digits}f}..{self.high:,.{digits}f}",
        ]


def parser(about: str | None) -> argparse.ArgumentParser:
    """Arguments that every benchmark has; ``about`` is the module's docstring."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    return made


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(kind: str) -> dict[str, Any]:
    """What figures depend on besides the code: processor, threads, versions, and how busy the machine is now."""
    import torch

    from lt_core.training.runtime import autocast_dtype, device_name

    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "device": kind,
        "device_name": device_name(kind),
        "cpus": cpus(),
        "threads": torch.get_num_threads(),
        "bfloat16": autocast_dtype("auto", torch.device(kind)) is not None,
        "load": busy,
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in ("torch", "torchvision", "ray")}},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """One table: the first column is text, the others are figures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # As wide as the table wants: nobody can read a cell that was cut.
    console = Console(width=200, highlight=False)
    console.print(title, soft_wrap=True)  # as the table's own title it would be broken to the table's width
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True)


def load_note(about: dict[str, Any]) -> list[str]:
    """A line for a machine that was busy with something else when the benchmark began."""
    if about["load"] is None or about["load"] < about["cpus"] / 4:
        return []
    return [f"load average was {about['load']:.1f} when this began: on a machine with other work the figures mean little"]


def write_json(path: Path | None, values: dict[str, Any]) -> None:
    """Write ``values`` to ``path``, if there is one."""
    if path is not None:
        path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")
