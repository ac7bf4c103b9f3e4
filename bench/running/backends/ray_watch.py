"""Whether Ray is still alive during a run. A driver whose daemons have died would wait for ever."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.running import stopping
from lt_core.errors import UserError

BAD_MACHINE = 2  # the exit code of every error that is reported in a sentence
_LOOK = 1.0  # seconds between two checks
_DEAD = 3.0  # a daemon is dead once it has been gone for this many seconds
_HEAD_DEAD = 45.0  # the same for the head of a cluster, which others may start again; Ray itself gives up after 60
_GRACE = 5.0  # seconds that the driver has to end in good order


class Watch:
    """Checks the daemons until it is closed.

    Args:
        looks: name of a daemon → a function that says whether it is gone, and the seconds after which it counts as dead.
        leave: ends the process with a sentence; called if the driver does not close the watch in time.
    """

    def __init__(self, looks: dict[str, tuple[Callable[[], bool], float]], leave: Callable[[str], None]) -> None:
        self.lost: UserError | None = None
        self._looks, self._leave, self._closed = looks, leave, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ray-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        gone: dict[str, float] = {}
        while not self._closed.wait(_LOOK):
            for words, (look, seconds) in self._looks.items():
                if not look():
                    gone.pop(words, None)
                elif time.monotonic() - gone.setdefault(words, time.monotonic()) >= seconds:
                    self.lost = UserError(
                        f"{words} died, perhaps because the machine ran out of memory. All finished trials are kept; run the "
                        "same command again to continue"
                    )
                    if not self._closed.wait(_GRACE):
                        self._leave(str(self.lost))
                    return


@contextmanager
def watched() -> Iterator[Watch]:
    """While a driver waits for Ray, notice within a few seconds if an essential daemon has died.

    The waiting code checks ``lost`` from time to time and raises it. If the driver hangs inside Ray and cannot check, the process
    is ended.
    """
    looks = _looks()
    stopping.shut_down_unless(lambda: any(look() for look, _ in looks.values()))
    watch = Watch(looks, _leave)
    try:
        yield watch
    finally:
        watch.close()


def _looks() -> dict[str, tuple[Callable[[], bool], float]]:
    import ray
    from ray.util.client import ray as client

    if client.is_connected():  # only the proxy (ray://) can be reached from here
        return {}
    context = ray.get_runtime_context()
    me = context.get_node_id()
    here = next(node for node in ray.nodes() if node["NodeID"] == me)
    raylet = here["NodeManagerAddress"], here["NodeManagerPort"]
    host, _, port = context.gcs_address.rpartition(":")
    head = host.strip("[]"), int(port)
    ours = head[0] == raylet[0]

    def marked_dead() -> bool:
        return not _refused(head) and any(node["NodeID"] == me and not node["Alive"] for node in ray.nodes())

    return {
        "Ray's raylet on this machine": (lambda: _refused(raylet) or marked_dead(), _DEAD),
        "Ray's gcs_server" + ("" if ours else f" at {context.gcs_address}"): (
            lambda: _refused(head), _DEAD if ours else _HEAD_DEAD,
        ),
    }  # fmt: skip


def _refused(address: tuple[str, int]) -> bool:
    """Whether the connection is refused. A machine that does not answer at all may only be cut off for a while."""
    try:
        socket.create_connection(address, timeout=_LOOK).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def _leave(sentence: str) -> None:
    print(f"\nerror: {sentence}", file=sys.stderr, flush=True)
    os._exit(BAD_MACHINE)
