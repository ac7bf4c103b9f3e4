"""A driver watches Ray's daemons. tests/faults shows that their death ends a real run."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace

import pytest

from bench.running.backends import ray_loop, ray_watch
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
    assert said[0].startswith("the other died")
    assert "All finished trials are kept; run the same command again" in said[0]


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


def test_an_actor_that_ray_ends_for_want_of_memory_is_an_actor_that_died():
    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.exceptions import OutOfMemoryError

    told: list[str] = []
    manager = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda tracked_actor: told.append("cleaned up"))
    actor = SimpleNamespace(actor_id=1, _on_error=lambda actor, error: told.append(str(error)))
    task = SimpleNamespace(_tracked_actor=actor, _on_error=None)
    with pytest.raises(RuntimeError, match="unexpected"):  # otherwise the workaround is no longer needed
        RayActorManager._actor_task_failed(manager, task, OutOfMemoryError("memory is full"))
    with ray_loop.a_lack_of_memory_survived():
        RayActorManager._actor_task_failed(manager, task, OutOfMemoryError("memory is full"))
    assert told == ["cleaned up", "memory is full"]


def test_the_loop_of_tune_waits_longer_for_its_events_but_nobody_else_does(monkeypatch):
    from ray.air.execution._internal.actor_manager import RayActorManager

    waits: list[float | None] = []
    monkeypatch.setattr(RayActorManager, "next", lambda self, timeout=None: waits.append(timeout))
    manager = object.__new__(RayActorManager)
    with ray_loop.events_waited_for():
        for timeout in (0.1, 0.05, None):
            manager.next(timeout=timeout)
    manager.next(timeout=0.1)
    assert waits == [0.5, 0.05, None, 0.1]


def test_tune_still_waits_for_as_long_as_we_replace():
    """Otherwise `events_waited_for` changes nothing."""
    import inspect

    from ray.tune.execution.tune_controller import TuneController

    assert "_actor_manager.next(timeout=0.1)" in inspect.getsource(TuneController.step)
