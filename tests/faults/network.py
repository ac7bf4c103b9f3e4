"""A second machine as far as the network is concerned, and nodes of Ray on it and on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.bench.harness import wait_for

OURS, THEIRS = "10.213.47.1", "10.213.47.2"
RAY = str(Path(sys.executable).with_name("ray"))


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Namespace:
    """A network namespace at `THEIRS`, from which this one is reached at `OURS` as long as the cable is not cut."""

    def __init__(self, name: str) -> None:
        self.name, self.within = name, ["ip", "netns", "exec", name]

    def cut(self) -> None:
        """Cut the cable: nothing gets through any more, and neither side is notified."""
        ip("link", "set", self.name, "down")

    def mend(self) -> None:
        ip("link", "set", self.name, "up")


@contextlib.contextmanager
def another_machine() -> Iterator[Namespace]:
    """Another machine; the test is skipped if none can be made."""
    if shutil.which("ip") is None or os.geteuid():
        pytest.skip("network namespaces need root and iproute2")
    name = f"lt{os.getpid()}"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "out", "netns", name)
        ip("addr", "add", f"{OURS}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "addr", "add", f"{THEIRS}/30", "dev", "out")
        ip("-n", name, "link", "set", "out", "up")
        yield Namespace(name)
    finally:
        ip("netns", "delete", name)  # this also deletes the link


def free_port() -> int:
    with socket.create_server((OURS, 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def node(folder: Path, name: str, *options: str, within: Sequence[str] = (), **environment: str) -> Iterator[subprocess.Popen]:
    """A node with one CPU, started with `ray start --block`. The path of ``folder`` must be short, because it holds sockets.

    Args:
        options: options of `ray start`: ``--head`` and a port, or the address of the head.
        within: the beginning of a command that runs on another machine, see `Namespace`.
    """
    command = [
        *within, RAY, "start", "--block", *options, "--num-cpus=1", f"--temp-dir={folder / name}",
        "--object-store-memory=100000000", "--disable-usage-stats",
    ]  # fmt: skip
    log = folder / f"{name}.log"
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    children: list[psutil.Process] = []
    try:
        wait_for(lambda: "Ray runtime started" in log.read_text(), process)
        children = psutil.Process(process.pid).children(recursive=True)
        yield process
    finally:
        with contextlib.suppress(psutil.Error):
            children += psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        for left in psutil.wait_procs(children, timeout=5)[1]:
            with contextlib.suppress(psutil.Error):
                left.kill()
        process.kill()
        process.wait()


def as_head(port: int) -> list[str]:
    """Options of `node` for the head of a cluster at `OURS`."""
    return ["--head", f"--port={port}", f"--node-ip-address={OURS}", "--include-dashboard=false"]


def as_second(port: int) -> list[str]:
    """Options of `node` for a node at `THEIRS` of that cluster."""
    return [f"--address={OURS}:{port}", f"--node-ip-address={THEIRS}"]
