"""Folders on this machine: where image sets are looked for, and where decoded images, weights and features are kept."""

from __future__ import annotations

import os
from pathlib import Path

from lt_core.errors import UserError


def cache_dir() -> Path:
    """The folder for cached files: ``LT_CACHE`` if it is set, otherwise one in the user's cache folder."""
    if "LT_CACHE" in os.environ:
        return Path(os.environ["LT_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lt-bench"


def data_root(given: str | None, name: str) -> Path:
    """The folder in which the image set ``name`` is looked for: ``given``, else ``LT_DATA``, else the folder of downloads.

    Raises:
        UserError: the folder was named by the user but does not exist.
    """
    root = Path(given or os.environ.get("LT_DATA") or cache_dir() / "downloads").expanduser().resolve()
    if (given or "LT_DATA" in os.environ) and not root.is_dir():
        raise UserError(f"the data folder {root} does not exist: set --data (or LT_DATA) to a folder that contains {name}")
    return root
