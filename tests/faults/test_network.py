"""A cluster of two machines whose network fails, or whose head dies: no finished trial is lost, and the figures are the same."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator

import psutil
import pytest

from bench.records.store import Store
from tests.bench.harness import cli, records, same, start, wait_for, workers
from tests.faults.network import OURS, Namespace, another_machine, as_head, as_second, free_port, node

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Namespace]:
    with another_machine() as found:
        yield found


@pytest.fixture
def token(monkeypatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))


def test_a_cable_that_is_cut_and_mended_costs_no_record_and_changes_no_figure(
    machine, reference, token, tmp_path, tmp_path_factory
):
    """The head waits for five seconds; after a minute it has given up the node, and its trials are trained elsewhere."""
    suite, expected = reference
    folder, run, port = tmp_path_factory.mktemp("c"), tmp_path / "tiny", free_port()
    with (
        node(folder, "h", *as_head(port)) as head,
        node(folder, "s", *as_second(port), within=machine.within) as second,
    ):
        log = tmp_path / "log"
        process = start("run", suite, "--out", str(tmp_path), "--address", f"{OURS}:{port}", log=log)
        try:
            wait_for(lambda: workers(head) and workers(second) and records(run), process)
            kept = {path.name: path.read_bytes() for path in records(run)}
            for seconds in (5, 60):
                machine.cut()
                try:
                    time.sleep(seconds)
                finally:
                    machine.mend()
                time.sleep(5)
            assert process.wait(timeout=200) == 0, log.read_text()
        finally:
            process.kill()
    assert len(kept) < len(records(expected)), "the cable was cut too late to matter"
    assert "Traceback" not in log.read_text()
    assert {path.name: path.read_bytes() for path in records(run) if path.name in kept} == kept
    assert set(Store(run).frame()["status"]) == {"ok"}
    same(run, expected)


def test_a_run_whose_head_dies_says_so_and_goes_on_with_the_next_head(machine, reference, token, tmp_path, tmp_path_factory):
    suite, expected = reference
    run, port, log = tmp_path / "tiny", free_port(), tmp_path / "log"

    @contextlib.contextmanager
    def cluster():
        folder = tmp_path_factory.mktemp("c")
        with node(folder, "h", *as_head(port)) as head, node(folder, "s", *as_second(port), within=machine.within) as second:
            yield head, second

    arguments = ("run", suite, "--out", str(tmp_path), "--address", f"{OURS}:{port}")
    with cluster() as (head, second):
        process = start(*arguments, log=log)
        try:
            wait_for(lambda: workers(head) and workers(second) and records(run), process)
            for each in (*psutil.Process(head.pid).children(recursive=True), head):
                each.kill()
            assert process.wait(timeout=150) == 2, log.read_text()
        finally:
            process.kill()
    said = log.read_text()
    assert "died" in said and "Traceback" not in said
    kept = {path.name: path.read_bytes() for path in records(run)}
    with cluster():
        again = cli(*arguments)
    assert again.returncode == 0, again.stderr
    assert {path.name: path.read_bytes() for path in records(run) if path.name in kept} == kept
    same(run, expected)
