"""The system of record: one file per trial, the frames made from them, and the ownership of run folders."""

from pathlib import Path

#: Where runs are kept, one folder per suite, relative to the current folder.
RUNS_DIR = Path("results") / "runs"

#: The metric that tables compare and rank by unless another is asked for: balanced accuracy.
HEADLINE = "acsa"
