"""What all tests share: a cache of their own, one thread, and a hypothesis that draws the same examples every time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Set before torch is imported, and inherited by every process that a test starts.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

# No test may fail because of the clock, because other work on the machine slows tests down.
_BY_THE_CLOCK = [HealthCheck.too_slow]
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, max_examples=60, suppress_health_check=_BY_THE_CLOCK
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Decoded images go into a folder of this session, and the user's cache, data and sets are ignored."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("LT_SETS", str(tmp_path_factory.mktemp("sets")))
        patch.delenv("LT_DATA", raising=False)
        yield


@pytest.fixture
def empty_folders(tmp_path, monkeypatch):
    """No decoded images, no sets and no data but what the test puts there: ``cache`` and ``sets`` in its own folder."""
    from lt_core.data.sources import load_set

    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LT_SETS", str(tmp_path / "sets"))
    monkeypatch.delenv("LT_DATA", raising=False)
    load_set.cache_clear()
    yield
    load_set.cache_clear()
