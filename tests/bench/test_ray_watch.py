"""Ray's daemons watched from a driver; that their death ends a real run is tests/faults' to show."""

from __future__ import annotations

import socket
import time

import pytest

from bench.running.backends import ray_watch
from bench.running.backends.ray_watch import Watch
from lt_core.errors import UserError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(ray_watch, "_LOOK", 0.02)
    monkeypatch.setattr(ray_watch, "_GRACE", 0.1)


def until(condition) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_dead_daemon_is_told_and_a_driver_that_does_not_end_by_itself_is_ended():
    said: list[str] = []
    watch = Watch({"the one": (lambda: False, 0), "the other": (lambda: True, 0.1)}, said.append)
    until(lambda: said)
    assert isinstance(watch.lost, UserError)
    assert said == [str(watch.lost)]
    assert said[0].startswith("the other has died")
    assert "every finished trial is kept: give the same command again" in said[0]


def test_a_driver_that_ends_by_itself_is_left_to_it():
    said: list[str] = []
    watch = Watch({"it": (lambda: True, 0)}, said.append)
    until(lambda: watch.lost)
    watch.close()
    time.sleep(0.3)
    assert not said


def test_who_comes_back_in_time_is_not_dead():
    answers = iter([True, True, False] * 100)
    watch = Watch({"it": (lambda: next(answers), 0.05)}, lambda sentence: None)
    time.sleep(0.6)
    watch.close()
    assert watch.lost is None


def test_only_a_refusal_is_a_death(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert not ray_watch._refused(address)
    assert ray_watch._refused(address)

    def cut_off(*arguments, **options):
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", cut_off)
    assert not ray_watch._refused(address)
