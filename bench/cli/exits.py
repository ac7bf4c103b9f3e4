"""How a command ends: exit codes, and the sentences that explain them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.running.stopping import STOPPED

# Further codes: 0 for success, and 1 if `verify`, `data verify` or `check` found a difference or a failure.
BAD_INPUT, SOME_FAILED, ALL_FAILED = 2, 3, 4


def refuse(message: str) -> int:
    """The exit code of bad input, after printing ``message``."""
    print(f"error: {message}", file=sys.stderr)
    return BAD_INPUT


def stopped() -> int:
    """The exit code of a run that was asked to stop, by Ctrl-C or SIGTERM."""
    print("Stopped. All finished trials are kept; run the same command again to continue.")
    return STOPPED


def ended(statuses: Sequence[str], folder: Path | None = None) -> int:
    """The exit code for trials with these statuses; with ``folder``, a code other than 0 is also explained in a sentence."""
    from lt_core.result import OK

    failed = len(statuses) - statuses.count(OK)
    if failed and folder:
        remedy = f"`bench.py status {folder}` shows the causes, and --retry-failed runs the failed trials again"
        print(f"{failed} of {len(statuses)} trials failed: {remedy}", file=sys.stderr, flush=True)
    return 0 if not failed else ALL_FAILED if failed == len(statuses) else SOME_FAILED
