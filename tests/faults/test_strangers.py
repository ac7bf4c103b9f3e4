"""Somebody in another network namespace, which is another machine as far as the network goes, knocks at Ray's ports."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from bench.running.backends.ray_start import _STRANGER, open_to_strangers
from tests.bench.harness import TINY, cli, records, start, wait_for

pytestmark = pytest.mark.slow
NAME = f"lt{os.getpid()}"
OURS, THEIRS = "10.213.47.1", "10.213.47.2"
RAY = str(Path(sys.executable).with_name("ray"))


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def stranger() -> Iterator[list[str]]:
    """The beginning of a command that runs in a network namespace of its own, from which this one is reached at ``OURS``."""
    if shutil.which("ip") is None or os.geteuid():
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("netns", "add", NAME)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
    try:
        ip("link", "add", NAME, "type", "veth", "peer", "name", "out", "netns", NAME)
        ip("addr", "add", f"{OURS}/30", "dev", NAME)
        ip("link", "set", NAME, "up")
        ip("-n", NAME, "addr", "add", f"{THEIRS}/30", "dev", "out")
        ip("-n", NAME, "link", "set", "out", "up")
        yield ["ip", "netns", "exec", NAME]
    finally:
        ip("netns", "delete", NAME)  # and the link with it


@contextlib.contextmanager
def head(folder: Path, **environment: str) -> Iterator[str]:
    """A head as `ray start` makes it; its address. The path of ``folder`` is to be short, since sockets lie in it."""
    with socket.create_server((OURS, 0)) as free:
        port = free.getsockname()[1]
    command = [
        RAY, "start", "--block", "--head", f"--port={port}", f"--node-ip-address={OURS}", "--include-dashboard=false",
        "--num-cpus=1", f"--temp-dir={folder / 'r'}", "--object-store-memory=100000000", "--disable-usage-stats",
    ]  # fmt: skip
    log = folder / "log"
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    children: list[psutil.Process] = []
    try:
        wait_for(lambda: "Ray runtime started" in log.read_text(), process)
        children = psutil.Process(process.pid).children(recursive=True)
        yield f"{OURS}:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        for left in psutil.wait_procs(children, timeout=5)[1]:
            left.kill()


def knock(stranger: list[str], address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    command = [*stranger, sys.executable, "-c", _STRANGER, address]
    return subprocess.run(command, env={**plain, **environment}, capture_output=True, text=True, timeout=60)


def test_a_cluster_with_a_token_refuses_a_stranger_and_one_without_is_told_of(stranger, tmp_path, tmp_path_factory, monkeypatch):
    suite = tmp_path / "tiny.yaml"
    suite.write_text(yaml.safe_dump({**TINY, "methods": ["softmax"], "seeds": 1}))
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with head(tmp_path_factory.mktemp("c"), **token) as address:
        refused = knock(stranger, address, RAY_AUTH_MODE="disabled")
        assert refused.returncode and "InvalidAuthToken" in refused.stderr
        assert knock(stranger, address, **{**token, "RAY_AUTH_TOKEN": secrets.token_hex(32)}).returncode
        assert knock(stranger, address, **token).returncode == 0, "else the network alone is what refuses"
        assert not open_to_strangers(address)
    with head(tmp_path_factory.mktemp("c"), RAY_AUTH_MODE="disabled") as address:
        assert knock(stranger, address, RAY_AUTH_MODE="disabled").returncode == 0
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        done = cli("run", str(suite), "--limit", "1", "--address", address, "--out", str(tmp_path))
        assert done.returncode == 0, done.stderr
        (warning,) = done.stderr.splitlines()
        assert warning.startswith(f"warning: the Ray cluster at {address} does not require a token")


def test_a_run_of_this_machine_is_out_of_a_strangers_reach(stranger, tmp_path):
    suite = tmp_path / "tiny.yaml"
    suite.write_text(yaml.safe_dump(TINY))
    process = start("run", str(suite), "--out", str(tmp_path), log=tmp_path / "log")
    try:
        wait_for(lambda: records(tmp_path / "tiny"), process)
        ours = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        listening = [
            (one.name(), connection.laddr)
            for one in ours
            for connection in one.net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {"raylet", "gcs_server"} <= {name for name, _ in listening}
        assert {address.ip.removeprefix("::ffff:") for _, address in listening} == {"127.0.0.1"}
        gcs = next(address.port for name, address in listening if name == "gcs_server")
        knocking = f"import socket; socket.create_connection(('{OURS}', {gcs}), timeout=5)"
        refused = subprocess.run([*stranger, sys.executable, "-c", knocking], capture_output=True, text=True, timeout=30)
        assert "ConnectionRefusedError" in refused.stderr
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 130
