"""Where decoded images, weights and features are kept, so that no process makes them twice."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """``LT_CACHE``, else the user's cache folder."""
    if "LT_CACHE" in os.environ:
        return Path(os.environ["LT_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lt-bench"
