"""What the benchmarks share: spreads, one table, one JSON file, and the machine they ran on. Light: torch comes late."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

K = TypeVar("K", bound=Hashable)


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


def taking_turns(ways: Mapping[K, Callable[[], float]], rounds: int) -> dict[K, list[float]]:
    """What each of ``ways`` gives in each round. Every other one goes backwards, so that a machine that slows down slows all."""
    measured: dict[K, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in list(ways.items())[:: 1 if number % 2 == 0 else -1]:
            measured[name].append(way())
    return measured


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(kind: str) -> dict[str, Any]:
    """What figures depend on besides the code: processor, threads and versions."""
    import torch

    from lt_core.training.runtime import autocast_dtype, device_name

    return {
        "device": kind,
        "device_name": device_name(kind),
        "cpus": cpus(),
        "threads": torch.get_num_threads(),
        "bfloat16": autocast_dtype("auto", torch.device(kind)) is not None,
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in ("torch", "torchvision", "ray")}},
    }


def busy(seconds: float = 1.0) -> float | None:
    """Share of the machine's CPU time in use while this process sleeps; None where the kernel does not tell."""
    try:
        before = _cpu_time()
        time.sleep(seconds)
        after = _cpu_time()
    except OSError:
        return None
    spent = [b - a for a, b in zip(before, after, strict=True)]
    idle = sum(spent[3:5])  # idle and waiting for a disk
    return 1 - idle / max(1, sum(spent[:8]))


def _cpu_time() -> list[int]:
    """Ticks of all CPUs by kind: user, nice, system, idle, iowait, irq, softirq, steal, …"""
    return [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


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


def busy_note(about: dict[str, Any]) -> list[str]:
    """A line for a machine that had other work when the benchmark began."""
    share = about["busy_before"]
    if share is None or share < 0.05:
        return []
    return [f"other processes used {100 * share:.0f} % of the CPUs before this began: these figures mean little"]


def write_json(path: Path | None, values: dict[str, Any]) -> None:
    """Write ``values`` to ``path``, if there is one."""
    if path is not None:
        path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")
