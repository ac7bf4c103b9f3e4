"""Signals: SIGTERM is Ctrl-C, and only the first of several counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from bench.running import stopping
from tests.bench.harness import ROOT, wait_for


@pytest.fixture(autouse=True)
def listening():
    """Restores the handling of SIGINT, which is ignored in tests that a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
def test_the_first_signal_interrupts_and_the_next_do_not_tear_what_is_done_then(number):
    before = signal.getsignal(number)
    with stopping.one_stop():
        assert not stopping.asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            time.sleep(1)
        for _ in range(5):
            os.kill(os.getpid(), number)
        assert stopping.asked()
    assert signal.getsignal(number) is before
    with stopping.one_stop():
        assert not stopping.asked(), "another run of this process begins anew"


@BOTH
def test_where_somebody_waits_for_the_signal_it_is_told_at_the_end(number):
    seen = []
    with stopping.one_stop(), pytest.raises(KeyboardInterrupt), stopping.waited_for():
        with pytest.raises(KeyboardInterrupt), stopping.waited_for():
            os.kill(os.getpid(), number)
            seen.append(stopping.asked())
        seen.append(stopping.asked())  # the inner block did not end the waiting of the outer one
    assert seen == [True, True]


def test_an_error_goes_before_a_signal_that_came_meanwhile():
    with stopping.one_stop(), pytest.raises(ValueError, match="worse"), stopping.waited_for():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError("worse")


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping.one_stop():
            os.kill(os.getpid(), signal.SIGINT)
            assert not stopping.asked()
    finally:
        signal.signal(signal.SIGINT, before)


ENDLESS = """
import time
from bench.running import stopping
stopping._PATIENCE = {patience}
with stopping.one_stop(), stopping.waited_for():
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize(("patience", "ends"), [(0.3, True), (60, False)])
def test_who_has_waited_long_enough_can_end_what_does_not_end(tmp_path, patience, ends):
    log = tmp_path / "log"
    with open(log, "w") as file:
        process = subprocess.Popen([sys.executable, "-c", ENDLESS.format(patience=patience)], stdout=file, cwd=ROOT)
    try:
        wait_for(log.read_text, process)
        for wait in (0.1, 0.1, 0.5, 0):
            process.send_signal(signal.SIGTERM)
            time.sleep(wait)
        if ends:
            assert process.wait(timeout=20) == stopping.STOPPED
        else:
            time.sleep(0.3)
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
