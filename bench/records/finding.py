"""A run's folder, found by its path or its name."""

from __future__ import annotations

from pathlib import Path

from bench.records import RUNS_DIR
from bench.shipped import SPACES_DIR, SUITES_DIR
from lt_core.errors import UserError, unknown


def run_folder(run: str | Path) -> Path:
    """The folder ``run`` if it holds a run, otherwise the run with that name under results/runs.

    Raises:
        UserError: there is no such run.
    """
    for path in (Path(run), RUNS_DIR / run):
        if (path / "records").is_dir() or (path / "trials.parquet").is_file():
            return path
    for folder, begin in ((SUITES_DIR, "run"), (SPACES_DIR, "tune")):
        if (folder / f"{run}.yaml").is_file():
            raise UserError(f"{run} has not been run here, so run '{run}' does not exist: `bench.py {begin} {run}` starts it")
    there = [p.name for p in RUNS_DIR.glob("*") if p.is_dir()]
    if not there:
        raise UserError(f"run '{run}' does not exist, and {RUNS_DIR} contains no runs: start one with `bench.py run quick`")
    raise unknown("run", str(run), there)
