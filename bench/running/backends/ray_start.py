"""How a local Ray is started, so that the first trial does not wait for imports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module

#: IDs of the nodes that this process started with `with_workers_ready`.
_NODES: set[str] = set()


def with_workers_ready(start: Callable[[], None], cpus: float, gpus: float | None) -> None:
    """Call ``start``, so that Ray's first workers (one per CPU) import torch and Tune while the driver goes on. The first trials
    run in these workers.

    If a trial takes several ``cpus`` or a GPU, workers do not import anything early, because most of these imports would be
    wasted.
    """
    import ray
    import torch

    if cpus > 1 or gpus or (gpus is None and torch.cuda.device_count()):
        start()
        return
    with _variables(
        RAY_preload_python_modules="torch,ray.tune",
        OMP_NUM_THREADS="1",  # as Ray sets it for a trial with one CPU, but by then the libraries are loaded
        PL_DISABLE_FORK="1",  # as Tune sets it
    ):
        start()
    if ray.is_initialized():
        _NODES.add(ray.get_runtime_context().get_node_id())


#: A program that lists the cluster's nodes, as a stranger without a token might. It exits with 0 if it succeeds.
_STRANGER = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5)"


def open_to_strangers(address: str) -> bool:
    """Whether the head at ``address`` answers without a token, which is tried in a process that has none."""
    token_free = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    command, mode = [sys.executable, "-c", _STRANGER, address], {"RAY_AUTH_MODE": "disabled"}
    try:
        return not subprocess.run(command, env={**token_free, **mode}, capture_output=True, timeout=30).returncode
    except subprocess.TimeoutExpired:  # no answer: it is not open
        return False


@contextmanager
def ready_workers_taken() -> Iterator[None]:
    """While Tune runs, let its actors use the workers that are ready, if this process started Ray.

    Tune requests workers with environment variables of its own. For each, Ray would start another process, which has to import
    torch, and the ready workers would never be used. They have these variables anyway, because we started them that way.
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
    """While Tune runs, treat a worker that Ray ends for lack of memory as one that died, and start its trial again.

    Tune only expects a RayActorError from a dead actor. An OutOfMemoryError is not one, and would end the whole run with a
    traceback.
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
    """While Ray starts, keep our signal handlers. Ray would handle SIGTERM with `sys.exit`, and later with a handler that dumps
    the stack and aborts.

    An exception in the middle of its start leaves a Ray whose shutdown ends in a segmentation fault.
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
    """While a local Ray starts, make its daemons and workers listen only on the loopback interface.

    They do so if the node's address is the loopback address. Ray has a switch for this, which is meant for Windows and macOS; an
    address that is given in any other way is replaced by the machine's own.
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
def started_quickly(log_to_driver: bool) -> Iterator[None]:
    """While a local Ray starts, leave out daemons that no trial needs, and use the time that it takes.

    Left out are the API server and the monitor, which serve dashboards, statistics about Ray's users and clusters that grow, and,
    without ``log_to_driver``, the log monitor. All three are Python programs, which import Ray on the CPUs of the first trials,
    and which Ray has to stop at the end. Ray looks for its node once a second; we import Tune and look more often.
    """
    from unittest.mock import patch

    from ray._private import services
    from ray._private.node import Node

    get_node = services.get_node

    def node_when_there(gcs_address: str, node_id: str) -> dict:
        import_module("ray.tune")
        _wait_for_node(gcs_address, node_id)
        return dict(get_node(gcs_address, node_id))

    left_out = ["start_api_server", "start_monitor", *([] if log_to_driver else ["start_log_monitor"])]
    with ExitStack() as patches:
        for name in left_out:
            patches.enter_context(patch.object(Node, name, _nothing))
        patches.enter_context(patch.object(services, "get_node", node_when_there))
        yield


def _nothing(*args: object, **options: object) -> None:
    """Stands for the start of a daemon."""


def _wait_for_node(gcs_address: str, node_id: str, seconds: float = 25.0) -> None:
    """Wait until the head knows the node, but not for as long as Ray itself would wait."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    head, end = GcsClient(address=gcs_address), time.monotonic() + seconds
    while time.monotonic() < end and not any(node.hex() == node_id for node in head.get_all_node_info(timeout=seconds)):
        time.sleep(0.02)


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    """Set environment variables for processes that are started in this block. Variables that are already set are not changed."""
    missing = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
