"""Faults: ways in which a run, or something that it depends on, dies or is held up, and how the run must end then.

`tests/faults` has a test for each of them, and `soak.py` chooses among them. Only processes of the run itself are affected.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

Process = psutil.Process


@dataclass(frozen=True)
class Fault:
    """A fault, the exit code of the run after it (0 if the run goes on), and what the run must print.

    Args:
        strike: causes the fault, given the driver and the run's folder. It returns a function that undoes whatever outlives the
            run, or None.
    """

    strike: Callable[[Process, Path], Callable[[], object] | None]
    code: int
    says: str = ""


def workers(driver: Process) -> list[Process]:
    """The processes that train trials."""
    return [child for child in _children(driver) if "Trainable" in _words(child) or "ray::Trial" in _words(child)]


def daemon(driver: Process, name: str) -> Process:
    """The run's ``raylet`` or ``gcs_server``."""
    return next(child for child in _children(driver) if _name(child) == name)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 64) -> Iterator[None]:
    """Mount a small file system on ``folder``, which can be filled.

    Raises:
        subprocess.CalledProcessError: this user may not mount file systems.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def _signalled(number: signal.Signals, times: int = 1) -> Callable[[Process, Path], None]:
    def strike(driver: Process, run: Path) -> None:
        for _ in range(times):
            driver.send_signal(number)
            time.sleep(0.1)

    return strike


def _held_up(chosen: Callable[[Process], Process], seconds: float = 5.0) -> Callable[[Process, Path], None]:
    def strike(driver: Process, run: Path) -> None:
        process = chosen(driver)
        process.suspend()
        try:
            time.sleep(seconds)
        finally:
            process.resume()

    return strike


def _killed(chosen: Callable[[Process], Process]) -> Callable[[Process, Path], None]:
    return lambda driver, run: chosen(driver).kill()


def _fill(driver: Process, run: Path) -> Callable[[], object]:
    filler = run / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    return filler.unlink


def _make_read_only(driver: Process, run: Path) -> Callable[[], object]:
    records = str(run / "records")
    _run("mount", "--bind", records, records)
    _run("mount", "-o", "remount,bind,ro", records)
    return lambda: _run("umount", "--lazy", records)


def _first_worker(driver: Process) -> Process:
    return workers(driver)[0]


FAULTS = {
    "driver: SIGKILL": Fault(_signalled(signal.SIGKILL), -signal.SIGKILL),
    "driver: SIGTERM": Fault(_signalled(signal.SIGTERM), 130, "run the same command again to continue"),
    "driver: SIGINT × 5": Fault(_signalled(signal.SIGINT, 5), 130, "run the same command again to continue"),
    "driver: SIGSTOP": Fault(_held_up(lambda driver: driver), 0),
    "worker: SIGKILL": Fault(_killed(_first_worker), 0),
    "worker: SIGSTOP": Fault(_held_up(_first_worker), 0),
    "raylet: SIGKILL": Fault(_killed(lambda driver: daemon(driver, "raylet")), 2, "raylet on this machine died"),
    "raylet: SIGSTOP": Fault(_held_up(lambda driver: daemon(driver, "raylet")), 0),
    "gcs_server: SIGKILL": Fault(_killed(lambda driver: daemon(driver, "gcs_server")), 2, "gcs_server died"),
    "disk: full": Fault(_fill, 2, "free some disk space"),
    "disk: read-only": Fault(_make_read_only, 2, "cannot be written"),
}


def _children(driver: Process) -> list[Process]:
    return driver.children(recursive=True)


def _name(process: Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""


def _words(process: Process) -> str:
    with contextlib.suppress(psutil.Error):  # the process may have ended meanwhile
        return " ".join(process.cmdline())
    return ""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})
