"""One way to stop: Ctrl-C and the SIGTERM of a scheduler do the same, and of several only the first counts."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

STOPPED = 130  # exit code of a process that was asked to stop
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE = 20.0  # seconds after the first signal, after which another one ends the process at once


class _Stop:
    """What this process was asked for."""

    first: float | None = None  # when it was asked to stop
    depth = 0  # of `one_stop`
    waited_for = False  # whether somebody looks at `asked` and ends what is under way in good order
    is_dead: Callable[[], bool] = staticmethod(lambda: False)  # see `shut_down_unless`


_stop = _Stop()


def asked() -> bool:
    """Whether this process was asked to stop since the outermost `one_stop` began."""
    return _stop.depth > 0 and _stop.first is not None


@contextmanager
def one_stop(stays: bool = False) -> Iterator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt, once: what is done in the wake of the first is not torn by the second.

    Tearing matters: five quick Ctrl-C were a segmentation fault inside of Ray. A signal that comes 20 seconds after the first one
    ends the process, whatever it does. A signal that is ignored, as under ``nohup``, stays so; in another thread than the main
    one nothing is changed.

    Args:
        stays: leave it so, since the process is about to end.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    if not _stop.depth:
        _stop.first = None
    _stop.depth += 1
    if stays:
        atexit.register(_ignore)
    _listen()
    try:
        yield
    finally:
        _stop.depth -= 1
        if not stays and _in_main_thread():
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)


@contextmanager
def waited_for() -> Iterator[None]:
    """Meanwhile nothing is raised: the caller looks at `asked` from time to time, or is told at the end.

    Raises:
        KeyboardInterrupt: on the way out, if this process was asked to stop and nothing else is raised.
    """
    before, _stop.waited_for = _stop.waited_for, True
    try:
        yield
    finally:
        _stop.waited_for = before
        _listen()  # older versions of Ray have given SIGTERM to a handler that dumps the stack and aborts
    if asked():
        raise KeyboardInterrupt


def shut_down_unless(is_dead: Callable[[], bool]) -> None:
    """Something will be shut down as this process ends, which must not be tried where it ``is_dead``: it would wait."""
    _stop.is_dead = is_dead


def leave(code: Any) -> NoReturn:
    """End the process."""
    if _stop.is_dead():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _listen() -> None:
    """Take the signals, from whoever has them."""
    if _stop.depth and _in_main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _hear)


def _ignore() -> None:
    """As the interpreter ends: what it does then, such as Ray's shutdown, would not survive an exception."""
    if _in_main_thread():
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _hear(number: int, frame: FrameType | None) -> None:
    if _stop.first is None:
        _stop.first = time.monotonic()
        if not _stop.waited_for:
            raise KeyboardInterrupt
    elif time.monotonic() - _stop.first > _PATIENCE:
        os._exit(STOPPED)  # every record was written whole; what Ray has started ends with its driver


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
