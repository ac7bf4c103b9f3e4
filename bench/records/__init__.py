"""The system of record: one file a trial, the frames made of them, and whose a run's folder is."""

from pathlib import Path

#: Where runs are kept, one folder a suite, seen from where a command is given.
RUNS_DIR = Path("results") / "runs"

#: The metric that tables compare and rank by unless another is asked for: balanced accuracy.
HEADLINE = "acsa"
