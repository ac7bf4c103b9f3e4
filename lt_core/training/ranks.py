"""One trial in several processes of one machine: process 0 runs the trial and starts the others.

The others end with it: each ends when its standard input closes, and those that are left when the trial ends are killed. If one
dies, the whole trial fails. Only process 0 writes checkpoints, shared stages and predictions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lt_core.result import FAILED, OOM, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training.carried import carried, environment
from lt_core.training.runtime import Runtime
from lt_core.training.team import Team, joined

_PATIENCE = 10.0  # seconds that process 0 waits to learn which of the others has died
Steps = Callable[[TrialSpec, Runtime], Iterator[Any]]


class _Other:
    """A process other than 0."""

    def __init__(self, spec: TrialSpec, runtime: Runtime, store: str, folder: Path) -> None:
        self.rank = runtime.rank
        self.said = folder / f"{runtime.rank}.log"
        with open(self.said, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lt_core.training.rank"], stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment()
            )
        assert self.process.stdin
        task = {"trial": carried(spec), "runtime": asdict(runtime), "store": store}
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        self.process.stdin.flush()  # it stays open, because the process ends when it is closed

    def died(self) -> bool:
        return self.process.poll() not in (None, 0)

    def last_words(self) -> str:
        lines = [line for line in self.said.read_text(errors="replace").splitlines() if line.strip()]
        return f"exit code {self.process.returncode}" + (f": {lines[-1].strip()}" if lines else "")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()


def led(steps: Steps, spec: TrialSpec, runtime: Runtime) -> Iterator[Any]:
    """The ``steps`` of a trial, taken by process 0 of ``runtime.ranks`` together with the others, which it starts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lt-team-", ignore_cleanup_errors=True)))
        store = str(folder / "meeting")
        quiet = replace(runtime, predictions=None, weights=None, time_limit=None)
        others = []
        for rank in range(1, runtime.ranks):
            others.append(_Other(spec, replace(quiet, rank=rank), store, folder))
            stack.callback(others[-1].end)
        stack.enter_context(together(runtime, store))
        for step in steps(spec, runtime):
            if isinstance(step, TrialResult) and step.status in (FAILED, OOM):
                step = _explained(step, others)
            yield step


def together(runtime: Runtime, store: str) -> AbstractContextManager[Team]:
    """A block in which this process is number ``runtime.rank`` of the team."""
    # All processes are on one machine, but gloo would look up the machine's name, which may lead to another address.
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return joined(runtime.rank, runtime.ranks, store, runtime.torch_device())


def _explained(result: TrialResult, others: list[_Other]) -> TrialResult:
    """``result`` with the death of another process as its cause, if that is why this process could not continue."""
    if "torch/distributed" not in result.traceback:
        return result
    end = time.monotonic() + _PATIENCE
    while not (dead := [other for other in others if other.died()]) and time.monotonic() < end:
        time.sleep(0.1)
    if not dead:
        return result
    words = dead[0].last_words()
    cause = f"process {dead[0].rank} of the {len(others) + 1} that trained the trial together died ({words})"
    return replace(result, status=OOM if f"{OOM}:" in words else result.status, cause=cause)
