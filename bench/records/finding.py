"""A run's folder, found by its path or its name."""

from __future__ import annotations

from pathlib import Path

from bench.records import RUNS_DIR
from bench.shipped import SPACES_DIR, SUITES_DIR
from lt_core.errors import UserError, nearest, unknown

MOST_LETTERS = 200  # of a file's or a folder's name; file systems allow 255 bytes


def run_folder(run: str | Path) -> Path:
    """The folder ``run`` if it holds a run, otherwise the run with that name under results/runs.

    Raises:
        UserError: there is no such run.
    """
    refuse_long(run, "run")
    for path in (Path(run), RUNS_DIR / run):
        if (path / "records").is_dir() or (path / "trials.parquet").is_file():
            return path
    for folder, begin in ((SUITES_DIR, "run"), (SPACES_DIR, "tune")):
        if (folder / f"{run}.yaml").is_file():
            committed = RUNS_DIR.parent / run
            rows = f", and its committed rows are in {committed}" if (committed / "records").is_dir() else ""
            raise UserError(f"{run} has not been run here yet: `bench.py {begin} {run}` starts it{rows}")
    there = [p.name for p in RUNS_DIR.glob("*") if p.is_dir()]
    meant = nearest(str(run), [file.stem for folder in (SUITES_DIR, SPACES_DIR) for file in folder.glob("*.yaml")])
    there += [meant] if meant else []
    if not there:
        raise UserError(f"run '{run}' does not exist, and {RUNS_DIR} contains no runs: start one with `bench.py run quick`")
    raise unknown("run", str(run), there)


def refuse_long(name: str | Path, what: str) -> None:
    """Raise an error for a name or path that no file system can have, such as a text that was pasted by mistake.

    Raises:
        UserError: it is that long.
    """
    longest = max(map(len, Path(name).parts), default=0)
    if longest > MOST_LETTERS or len(str(name)) > 4000:
        raise UserError(f"{what} '{str(name)[:40]}…' has a name of {longest} letters: names have at most {MOST_LETTERS}")


def name_for(path: Path) -> str:
    """What a user gives to ``--run`` for the run in ``path``: its name, or its folder if its rows are committed."""
    folder = path.resolve()
    return f"{RUNS_DIR.parent}/{folder.name}" if folder.parent == RUNS_DIR.parent.resolve() else folder.name
