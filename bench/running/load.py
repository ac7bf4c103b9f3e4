"""How busy this machine is with other work, and how many threads a trial should use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_LOOK = 0.5  # seconds over which the load is measured


def cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy(seconds: float = 1.0) -> float | None:
    """Share of the machine's CPU time in use while this process sleeps; None if the kernel does not say."""
    try:
        before = _cpu_time()
        time.sleep(seconds)
        after = _cpu_time()
    except OSError:
        return None
    spent = [b - a for a, b in zip(before, after, strict=True)]
    idle = sum(spent[3:5])  # idle and waiting for a disk
    return 1 - idle / max(1, sum(spent[:8]))


def threads_beside_others(threads: int, say: Callable[[str], None] = print) -> int:
    """How many of ``threads`` are useful now: all of them, or only one if the machine has fewer idle CPUs.

    The threads of a trial wait for each other after each operation. If one has to share its CPU, all wait for it: next to busy
    processes, two threads were a tenth as fast as one, whether they spin or sleep while waiting (docs/speed.md).
    """
    if threads > cpus():
        say(f"this machine has {cpus()} CPUs: each trial uses that many threads instead of {threads}")
    threads = min(threads, cpus())
    if threads == 1:
        return 1
    share = busy(_LOOK)
    if share is None or (1 - share) * cpus() > threads - 0.5:
        return threads
    say(
        f"other processes use {100 * share:.0f} % of the CPUs: each trial uses one thread instead of {threads}, which would "
        "only wait for one another"
    )
    return 1


def _cpu_time() -> list[int]:
    """Ticks of all CPUs by kind: user, nice, system, idle, iowait, irq, softirq, steal, …"""
    return [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
