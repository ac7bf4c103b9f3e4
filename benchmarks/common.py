"""What the benchmarks share: spreads, one table, one JSON file, and a description of the machine. torch is imported late."""

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
from lt_core.whole_files import replacing

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
        """n, median and range, as cells of a table."""
        return [
            str(len(self.values)),
            f"{self.median:,.{digits}f}",
            f"{self.low:,.{digits}f}..{self.high:,.{digits}f}",
        ]


def parser(about: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that every benchmark has; ``about`` is the module's docstring."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    return made


def taking_turns(ways: Mapping[K, Callable[[], float]], rounds: int) -> dict[K, list[float]]:
    """The result of each of ``ways`` in each round. Every other round goes backwards, so that a machine that slows down affects
    all of them.
    """
    measured: dict[K, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in list(ways.items())[:: 1 if number % 2 == 0 else -1]:
            measured[name].append(way())
    return measured


def machine(kind: str) -> dict[str, Any]:
    """What the figures depend on besides the code: processor, threads and versions."""
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
    """Print a table whose first column is text and whose other columns are figures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # Wide enough that no cell is cut.
    console = Console(width=200, highlight=False)
    console.print(title, soft_wrap=True)  # the table's own title would be wrapped to its width
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True)


IDLE = 0.05  # a machine is idle if other processes use less than this share of its CPUs


def busy_note(about: dict[str, Any]) -> list[str]:
    """A note for a machine that was busy with other work when the benchmark began."""
    share = about["busy_before"]
    if share is None or share < IDLE:
        return []
    return [f"other processes used {100 * share:.0f} % of the CPUs before this began: these figures mean little"]


def refuse_busy(when: str, share: float | None) -> None:
    """End this program with exit code 1 if other processes use so large a ``share`` of the CPUs that timings mean nothing."""
    if share is not None and share >= IDLE:
        sys.exit(f"{when} other processes used {100 * share:.0f} % of the CPUs, so nothing is reported: use an idle machine")


def write_json(path: Path | None, values: dict[str, Any]) -> None:
    """Write ``values`` to ``path``, if one is given. Whoever is stopped meanwhile leaves the earlier file as it was."""
    if path is not None:
        with replacing(path) as beside:
            beside.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def measured_before(path: Path | None, device: str) -> dict[str, Any]:
    """What a benchmark has already written to ``path`` on this kind of device; empty if there is nothing."""
    if path is None or not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    return found if found.get("device") == device else {}


def peak_gib(usage: resource.struct_rusage) -> float:
    """The peak resident memory of a process in GiB, from the kernel's figures."""
    return usage.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)  # bytes on macOS, KiB elsewhere
