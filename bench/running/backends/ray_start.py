"""How a local Ray is started, so that the first trial does not wait for imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Nodes of those Rays that this process started by `with_workers_ready`.
_NODES: set[str] = set()


def with_workers_ready(start: Callable[[], None], cpus: float, gpus: float | None) -> None:
    """Call ``start``, with first workers (one per CPU) that import torch and Tune while the driver goes on; the first trials run
    there.

    If a trial takes several ``cpus`` or a GPU, most of these imports would be wasted.
    """
    import ray
    import torch

    if cpus > 1 or gpus or (gpus is None and torch.cuda.device_count()):
        start()
        return
    with _variables(
        RAY_preload_python_modules="torch,ray.tune",
        OMP_NUM_THREADS="1",  # as Ray sets it for a trial of one CPU, which is too late for a library that is loaded
        PL_DISABLE_FORK="1",  # as Tune sets it
    ):
        start()
    if ray.is_initialized():
        _NODES.add(ray.get_runtime_context().get_node_id())


#: What a stranger can do who has no token. The status of this program is 0 if it can.
_STRANGER = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5)"


def open_to_strangers(address: str) -> bool:
    """Whether the head at ``address`` answers without a token; tried in a process that has none."""
    token_free = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    command, mode = [sys.executable, "-c", _STRANGER, address], {"RAY_AUTH_MODE": "disabled"}
    try:
        return not subprocess.run(command, env={**token_free, **mode}, capture_output=True, timeout=30).returncode
    except subprocess.TimeoutExpired:  # whatever it is, it is not open
        return False


@contextmanager
def ready_workers_taken() -> Iterator[None]:
    """While Tune runs: let its actors use the workers that are ready, if this process started Ray.

    Tune requests workers with its own environment variables. For each, Ray would start another process, which has to import
    torch, and the ready ones would end unused. They have these variables anyway, because we started them with these.
    """
    import ray
    from ray.tune.execution import class_cache

    if ray.get_runtime_context().get_node_id() not in _NODES:
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
    """While Tune runs: treat a worker that Ray ends for lack of memory as one that died, and start its trial again.

    Of the errors of a dead actor, Tune knows only RayActorError, which this is not, and would end the whole run with a traceback.
    """
    from unittest.mock import patch

    from ray.exceptions import OutOfMemoryError, RayActorError

    dead = RayActorError, OutOfMemoryError
    with (
        patch("ray.air.execution._internal.actor_manager.RayActorError", dead),
        patch("ray.tune.execution.tune_controller.RayActorError", dead),
    ):
        yield


@contextmanager
def signals_left_alone() -> Iterator[None]:
    """While Ray starts: keep our signal handlers. Ray would give SIGTERM to `sys.exit`, then to a handler that dumps the stack
    and aborts.

    An exception in the middle of its start leaves a Ray whose shutdown is a segmentation fault.
    """
    from ray._private import utils

    before = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda handler: None
    try:
        with _variables(RAY_DISABLE_FAILURE_SIGNAL_HANDLER="1"):
            yield
    finally:
        utils.set_sigterm_handler = before


@contextmanager
def out_of_reach() -> Iterator[None]:
    """While a local Ray starts: let its daemons and workers listen on loopback only.

    They do if the node's address is that of loopback. Ray has a switch for this, meant for Windows and macOS; an address given
    in any other way is replaced by the machine's own.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        with _variables(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0"):
            yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    """Environment variables for processes that are started in this block; variables that are already set stay."""
    missing = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
