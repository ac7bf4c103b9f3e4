"""What the benchmarks share: spreads, one table, one JSON file, and the machine they ran on. Light: torch comes late."""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.running.load import busy as busy
from bench.running.load import cpus as cpus

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


IDLE = 0.05  # share of the CPUs that others may use


def busy_note(about: dict[str, Any]) -> list[str]:
    """A line for a machine that had other work when the benchmark began."""
    share = about["busy_before"]
    if share is None or share < IDLE:
        return []
    return [f"other processes used {100 * share:.0f} % of the CPUs before this began: these figures mean little"]


def refuse_busy(when: str, share: float | None) -> None:
    """End this program, with exit code 1, where other processes use a ``share`` of the CPUs that figures of speed do not bear."""
    if share is not None and share >= IDLE:
        sys.exit(f"{when} other processes used {100 * share:.0f} % of the CPUs: nothing is reported, give it an idle machine")


def write_json(path: Path | None, values: dict[str, Any]) -> None:
    """Write ``values`` to ``path``, if there is one."""
    if path is not None:
        path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def peak_gib(usage: resource.struct_rusage) -> float:
    """The most memory that was resident at once, in GiB, by what the kernel says of a process."""
    return usage.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)  # in bytes there, in KiB elsewhere
