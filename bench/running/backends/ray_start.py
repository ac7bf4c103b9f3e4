"""How a local Ray is started, so that the first trial does not wait for imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: IDs of the nodes that this process started with `with_workers_ready`.
NODES_WITH_WORKERS: set[str] = set()


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
        NODES_WITH_WORKERS.add(ray.get_runtime_context().get_node_id())


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
def _variables(**values: str) -> Iterator[None]:
    """Set environment variables for processes that are started in this block. Variables that are already set are not changed."""
    missing = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
