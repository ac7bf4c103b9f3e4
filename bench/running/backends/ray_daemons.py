"""Which daemons a local Ray has, and how long their start is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec


@contextmanager
def started_quickly(log_to_driver: bool) -> Iterator[None]:
    """While a local Ray starts, leave out daemons that no trial needs, look for its node often, and import Tune meanwhile.

    Left out are the API server and the monitor, which serve dashboards, statistics about Ray's users and clusters that grow, and,
    without ``log_to_driver``, the log monitor. All three are Python programs, which import Ray on the CPUs of the first trials,
    and which Ray has to stop at the end. With ``ray[default]``, the API server stays, because Ray's agent then looks for it.
    Ray itself looks for its node once a second.
    """
    from unittest.mock import patch

    from ray._private import services
    from ray._private.node import Node

    left_out = ["start_monitor"]
    left_out += [] if find_spec("aiohttp_cors") else ["start_api_server"]
    left_out += [] if log_to_driver else ["start_log_monitor"]
    get_node = getattr(services, "get_node", None)

    def node_when_there(gcs_address: str, node_id: str) -> dict:
        with suppress(Exception):  # then Ray waits by itself, and says what is wrong
            import_module("ray.tune")
            _wait_for_node(gcs_address, node_id)
        return dict(get_node(gcs_address, node_id))  # type: ignore[misc]

    with ExitStack() as patches:
        for name in left_out:
            if hasattr(Node, name):  # another version of Ray starts more slowly, but starts
                patches.enter_context(patch.object(Node, name, _nothing))
        if get_node:
            patches.enter_context(patch.object(services, "get_node", node_when_there))
        yield


def _nothing(*args: object, **options: object) -> None:
    """Stands for the start of a daemon."""


def _wait_for_node(gcs_address: str, node_id: str, seconds: float = 5.0) -> None:
    """Wait until the head knows the node. After a few seconds, Ray's own, slower waiting takes over."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    head, end = GcsClient(address=gcs_address), time.monotonic() + seconds
    while time.monotonic() < end and not any(node.hex() == node_id for node in head.get_all_node_info(timeout=1)):
        time.sleep(0.02)
