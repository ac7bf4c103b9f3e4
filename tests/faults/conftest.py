"""The target of the faults: a suite that takes a while, and its figures without faults."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import bench
from tests.bench.harness import TINY

SUITE = {**TINY, "recipe": {"base": "digits", "epochs": 60}, "seeds": 1, "methods": [*TINY["methods"], "crt"]}


@pytest.fixture(scope="session")
def reference(tmp_path_factory) -> tuple[str, Path]:
    """The suite's file, and its run without Ray."""
    folder = tmp_path_factory.mktemp("reference")
    suite = folder / "tiny.yaml"
    suite.write_text(yaml.safe_dump(SUITE))
    bench.run(str(suite), backend="inline", out=folder)
    return str(suite), folder / "tiny"
