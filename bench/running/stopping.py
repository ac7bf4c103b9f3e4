"""One way to stop: Ctrl-C and a scheduler's SIGTERM have the same effect, and only the first of several signals counts."""

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
_PATIENCE = 20.0  # a signal that comes this many seconds after the first one ends the process at once


class _Stop:
    """Whether and when this process was asked to stop."""

    first: float | None = None  # when it was asked to stop
    depth = 0  # how many blocks of `one_stop` are nested
    waited_for = False  # whether the caller checks `asked` and ends in good order
    is_dead: Callable[[], bool] = staticmethod(lambda: False)  # see `shut_down_unless`


_stop = _Stop()


def asked() -> bool:
    """Whether this process was asked to stop since the outermost `one_stop` began."""
    return _stop.depth > 0 and _stop.first is not None


@contextmanager
def one_stop(stays: bool = False) -> Iterator[None]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt once: a second signal does not interrupt the handling of the first.

    Otherwise, pressing Ctrl-C five times quickly causes a segmentation fault inside Ray. A signal that comes more than 20 seconds
    after the first one ends the process at once. A signal that is ignored, as under ``nohup``, stays ignored. Outside the main
    thread, nothing is changed.

    Args:
        stays: keep these handlers after the block, because the process is about to end.
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
    """In this block, signals do not raise anything: the caller checks `asked` from time to time, or is interrupted at the end.

    Raises:
        KeyboardInterrupt: at the end of the block, if this process was asked to stop and nothing else is raised.
    """
    before, _stop.waited_for = _stop.waited_for, True
    try:
        yield
    finally:
        _stop.waited_for = before
        _listen()  # older versions of Ray have installed a handler for SIGTERM that dumps the stack and aborts
    if asked():
        raise KeyboardInterrupt


def shut_down_unless(is_dead: Callable[[], bool]) -> None:
    """Skip the shutdown at the end of this process if ``is_dead`` says that it would wait for something dead."""
    _stop.is_dead = is_dead


def leave(code: Any) -> NoReturn:
    """End the process."""
    if _stop.is_dead():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _listen() -> None:
    """Install our handlers, whatever was there before."""
    if _stop.depth and _in_main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _hear)


def _ignore() -> None:
    """Ignore signals while the interpreter ends, because exit handlers such as Ray's shutdown would not survive an exception."""
    if _in_main_thread():
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _hear(number: int, frame: FrameType | None) -> None:
    if _stop.first is None:
        _stop.first = time.monotonic()
        if not _stop.waited_for:
            raise KeyboardInterrupt
    elif time.monotonic() - _stop.first > _PATIENCE:
        os._exit(STOPPED)  # every record was written completely, and Ray's processes end with their driver


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
