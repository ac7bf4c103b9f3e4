"""What produced a figure: the code's commit, the packages' versions, the command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lt_core.external import offering_packages

_PACKAGES = ("lt-bench", "torch", "torchvision", "numpy", "ray")
_BEHIND_ROOT = re.compile(r"(?<![^=])(?:~?/)(?:[^/]*/)*([^/]+)/?$")
ROOT = Path(__file__).resolve().parents[2]


@cache
def provenance() -> dict[str, Any]:
    """Facts about this process, which are merged into the environment of every record.

    ``LT_COMMIT`` gives the commit of a copy without its git folder, such as one on a borrowed machine. Whether it has uncommitted
    changes is then unknown.
    """
    if told := os.environ.get("LT_COMMIT"):
        return {"git_commit": told, "git_dirty": None, **_beside_the_code()}
    # An installed copy may lie inside somebody else's repository, whose commit says nothing about this code.
    commit = _git("rev-parse", "HEAD") if _git("rev-parse", "--show-toplevel") == str(ROOT) else ""
    # Only tracked files count: results and scratch files beside the code do not change what it does.
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None
    return {
        "git_commit": commit or None,
        "git_dirty": dirty,
        **_beside_the_code(),
    }


def _beside_the_code() -> dict[str, Any]:
    return {"packages": {name: _version(name) for name in _PACKAGES} | offering_packages(), "command": command(sys.argv)}


def command(words: Sequence[str]) -> str:
    """A command line as it was given, except that absolute paths are cut to their last part: rows are published, and home folders
    should not be.
    """
    return shlex.join([_BEHIND_ROOT.sub(r"\1", word) for word in (Path(words[0]).name, *words[1:])])


def tracked(folder: Path) -> bool:
    """Whether git tracks a file under ``folder``, in any repository."""
    return bool(_git("ls-files", "--", ".", folder=folder))


def _git(*arguments: str, folder: Path = ROOT) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
