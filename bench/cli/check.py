"""The command that checks what plug-in files register."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check_(files: Annotated[list[Path], typer.Argument(metavar="FILE", help="plug-in files")]) -> None:
    """Check everything that plug-in files register.

    These are the checks that the benchmark's own methods, models and data sets pass. Each prints one line.

    Exit code 0: every check passes; 1: some fail; 2: a file cannot be loaded.
    """
    from lt_core import testing
    from lt_core.labels import counted

    cases = [case for file in dict.fromkeys(files) for case in testing.cases_of_file(file)]
    failed = 0
    for case, cause, _ in testing.run_checks(cases):
        failed += bool(cause)
        print(f"FAIL  {case}: {cause}" if cause else f"ok    {case}", flush=True)
    print(f"{counted(len(cases), 'check')}: {len(cases) - failed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)
