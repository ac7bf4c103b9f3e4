"""Fixtures of the harness's tests."""

from __future__ import annotations

import sys

import pytest
import yaml

from bench.cli import app as door
from bench.records.provenance import provenance
from lt_core import plugins
from tests.bench.harness import TINY, not_the_end


@pytest.fixture
def write_suite(tmp_path):
    """A function that writes a suite file: TINY with changes."""

    def write(name: str = "tiny", **changes: object) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**TINY, **changes}))
        return str(path)

    return write


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """A function that runs the command line in this process, in an empty folder, and returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench.py", *arguments])
        provenance.cache_clear()  # another command may have run in this process
        with pytest.raises(SystemExit) as stop:
            door.main()
        for plugin in plugins.loaded():  # the next call stands for another process
            plugins.forget(plugin.version)
        not_the_end()
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run
