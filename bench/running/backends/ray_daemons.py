"""Which daemons a local Ray has, and how long their start is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module


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
        with suppress(Exception):  # then Ray waits by itself, and says what is wrong
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
