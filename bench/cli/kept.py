"""A cache of listings: `list methods` imports torch and `list suites` expands every suite, although the answer changes only with
the code or the installed packages.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.shipped import SUITES_DIR
from lt_core import plugins
from lt_core.cache import cache_dir
from lt_core.external import offering_packages
from lt_core.whole_files import replacing

_CODE = (Path(__file__).resolve().parents[1], Path(plugins.__file__).resolve().parent, SUITES_DIR)
#: What listings depend on besides the code. Data sets can be added at any time, so their listing is never cached.
_PACKAGES = ("numpy", "torch", "torchvision", "timm", "efficientnet-lite-pytorch")
KEPT = ("methods", "suites", "spaces", "models", "recipes", "tables", "plots")


def listing(what: str, pattern: str, make: Callable[[str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """``make(pattern)``, from the cache folder if the same code made it before. The cache is not used where a plug-in file or
    another package may add to the listing.
    """
    if offering_packages():
        import lt_core.methods  # noqa: F401  (packages may register recipes, models and data sets beside their methods)

    if what not in KEPT or plugins.loaded() or offering_packages():
        return make(pattern)
    file = cache_dir() / "listings" / f"{_state(what, pattern)}.json"
    with suppress(OSError, ValueError):
        return list(json.loads(file.read_text(encoding="utf-8")))
    made = make(pattern)
    with suppress(OSError):  # without a cache, the next listing only takes seconds longer
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as beside:
            beside.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    return made


def _state(*question: str) -> str:
    """A hash of the question and of everything that the answer depends on."""
    files = sorted(path for folder in _CODE for path in folder.rglob("*") if path.suffix in (".py", ".yaml"))
    told = [(str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files]
    return hashlib.sha256(repr((question, sys.version, [_version(name) for name in _PACKAGES], told)).encode()).hexdigest()[:32]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
