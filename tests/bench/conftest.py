"""Fixtures of the harness's tests."""

from __future__ import annotations

import pytest
import yaml

from tests.bench.harness import TINY


@pytest.fixture
def write_suite(tmp_path):
    """A function that writes a suite file: TINY with changes."""

    def write(name: str = "tiny", **changes: object) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**TINY, **changes}))
        return str(path)

    return write
