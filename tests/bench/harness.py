"""What the tests of the harness share: a tiny suite, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

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


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "bench.py"), *arguments]


def cli(*arguments: str, cwd: Path | None = None, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, in another process."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, timeout=timeout, env=dict(os.environ))


def figures(run: Path) -> pd.DataFrame:
    """Everything in a run's trials.parquet that must not depend on when, where and in which order it was run."""
    frame = pd.read_parquet(run / "trials.parquet")
    return frame.drop(columns=TIMING).sort_values("trial_id", ignore_index=True)
