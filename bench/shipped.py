"""Where to find the data that come with the benchmark: suites, tuning spaces, and the figures that papers print.

A checkout keeps them in folders of their own. A wheel has them inside this package (``sources`` in pyproject.toml), so that it
does not install folders called ``results`` or ``search_spaces`` next to other people's packages.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(in_wheel: str, in_checkout: str) -> Path:
    inside = _PACKAGE / in_wheel
    return inside if inside.is_dir() else _PACKAGE.parent / in_checkout


SUITES_DIR = _folder("search_spaces", "search_spaces")
SPACES_DIR = SUITES_DIR / "tuning"
PUBLISHED_DIR = _folder("published", "results/published")
