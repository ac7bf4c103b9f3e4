"""What changes in Tune's loop in the driver while our trials run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from bench.running.backends.ray_start import NODES_WITH_WORKERS

_PATIENCE = 0.5  # seconds that Tune's loop waits for an event, during which it does not notice that the user asked for a stop


@contextmanager
def tune_changed() -> Iterator[None]:
    """All of the changes below."""
    with ready_workers_taken(), a_lack_of_memory_survived(), events_waited_for():
        yield


@contextmanager
def ready_workers_taken() -> Iterator[None]:
    """While Tune runs, let its actors use the workers that are ready, if this process started Ray.

    Tune requests workers with environment variables of its own. For each, Ray would start another process, which has to import
    torch, and the ready workers would never be used. They have these variables anyway, because we started them that way.
    """
    import ray
    from ray.tune.execution import class_cache

    if ray.get_runtime_context().get_node_id() not in NODES_WITH_WORKERS:
        yield
        return
    before = class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = {}, set()
    try:
        yield
    finally:
        class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = before


@contextmanager
def a_lack_of_memory_survived() -> Iterator[None]:
    """While Tune runs, treat a worker that Ray ends for lack of memory as one that died, and start its trial again.

    Tune only expects a RayActorError from a dead actor. An OutOfMemoryError is not one, and would end the whole run with a
    traceback.
    """
    from ray.exceptions import OutOfMemoryError, RayActorError

    dead = RayActorError, OutOfMemoryError
    with (
        patch("ray.air.execution._internal.actor_manager.RayActorError", dead),
        patch("ray.tune.execution.tune_controller.RayActorError", dead),
    ):
        yield


@contextmanager
def events_waited_for() -> Iterator[None]:
    """While Tune runs, let its loop wait half a second for the next event, which ends the wait, instead of a tenth.

    After each wait, the loop goes through its trials, actors and files, although nothing has happened. On two cores, that takes
    two of a hundred CPU seconds, which the trials need.
    """
    from ray.air.execution._internal.actor_manager import RayActorManager

    wait = RayActorManager.next

    def patient(self: RayActorManager, timeout: float | None = None) -> bool:
        return wait(self, _PATIENCE if timeout == 0.1 else timeout)

    with patch.object(RayActorManager, "next", patient):
        yield
