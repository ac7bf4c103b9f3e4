"""Somebody in another network namespace, which is like another machine in the network, tries to connect to Ray's ports."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
import yaml

from bench.running.backends.ray_start import _STRANGER, open_to_strangers
from tests.bench.harness import TINY, cli, records, start, wait_for
from tests.faults.network import OURS, another_machine, as_head, free_port, node

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger() -> Iterator[list[str]]:
    """The beginning of a command that runs on another machine."""
    with another_machine() as machine:
        yield machine.within


def knock(stranger: list[str], address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    command = [*stranger, sys.executable, "-c", _STRANGER, address]
    return subprocess.run(command, env={**plain, **environment}, capture_output=True, text=True, timeout=60)


def test_a_cluster_with_a_token_refuses_a_stranger_and_one_without_is_told_of(stranger, tmp_path, tmp_path_factory, monkeypatch):
    suite = tmp_path / "tiny.yaml"
    suite.write_text(yaml.safe_dump({**TINY, "methods": ["softmax"], "seeds": 1}))
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    port = free_port()
    address = f"{OURS}:{port}"
    with node(tmp_path_factory.mktemp("c"), "h", *as_head(port), **token):
        refused = knock(stranger, address, RAY_AUTH_MODE="disabled")
        assert refused.returncode and "InvalidAuthToken" in refused.stderr
        assert knock(stranger, address, **{**token, "RAY_AUTH_TOKEN": secrets.token_hex(32)}).returncode
        assert knock(stranger, address, **token).returncode == 0, "else the network alone is what refuses"
        assert not open_to_strangers(address)
    with node(tmp_path_factory.mktemp("c"), "h", *as_head(port), RAY_AUTH_MODE="disabled"):
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
