"""What the tests of the harness share: a tiny suite, and the command line as a user runs it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parents[2]
# What may differ between two runs of one trial: time, and the command that was given.
TIMING = ["train_seconds", "evaluate_seconds", "setup_seconds", "images_per_second", "environment"]

TINY = {
    "about": "a few seconds",
    "recipe": {"base": "digits", "epochs": 4},
    "data": {"dataset": "digits", "imbalance_factor": [10, 50], "n_max": 100, "validation": 20},
    "methods": ["softmax", {"cb_softmax": {"cb_beta": [0.9, 0.999]}}, "over_sampling"],
    "seeds": 2,
}


def not_the_end() -> None:
    """Undo what a command does because its process ends soon: objects that it keeps from garbage collection are collected again.

    The next trial in this process freezes again what has been imported by then.
    """
    from lt_core.training.trial import _skip_what_is_imported

    gc.unfreeze()
    _skip_what_is_imported.cache_clear()


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "bench.py"), *arguments]


def cli(*arguments: str, cwd: Path | None = None, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, in another process."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, timeout=timeout, env=dict(os.environ))


def figures(run: Path) -> pd.DataFrame:
    """Everything in a run's trials.parquet that must not depend on when, where and in which order it was run."""
    frame = pd.read_parquet(run / "trials.parquet")
    return frame.drop(columns=TIMING).sort_values("trial_id", ignore_index=True)


def start(*arguments: str, log: Path) -> subprocess.Popen:
    """Start a run in the background. It handles SIGINT even if the shell that started these tests ignores it."""
    with open(log, "w") as file:
        return subprocess.Popen(
            command(*arguments), stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip


def wait_for(condition: Callable[[], object], process: subprocess.Popen, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def records(run: Path) -> list[Path]:
    return list((run / "records").glob("[!.]*.json"))


def workers(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes that train trials of this run."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # some of them may end meanwhile
            if "Trainable" in " ".join(child.cmdline()):
                found.append(child)
    return found


def same(run: Path, reference: Path) -> None:
    pd.testing.assert_frame_equal(figures(run), figures(reference), check_exact=True)
    for name in ("per_class", "curves"):
        mine, theirs = (pd.read_parquet(r / f"{name}.parquet") for r in (run, reference))
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
