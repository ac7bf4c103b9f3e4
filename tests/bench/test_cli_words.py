"""What the command line says of itself, and how it answers words that it does not know."""

from __future__ import annotations

import pytest
from typer.main import get_command

from bench.cli.app import app


def test_the_summary_of_every_command_fits_its_line():
    commands = get_command(app).commands
    groups = [commands, *(command.commands for command in commands.values() if hasattr(command, "commands"))]
    for name, command in [item for group in groups for item in group.items()]:
        summary = command.get_short_help_str(limit=1000)
        assert 0 < len(summary) <= 60, f"{name}: {len(summary)} characters: {summary}"


@pytest.mark.parametrize("group", [(), ("data",)])
def test_no_summary_is_cut_off(call, monkeypatch, group):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call(*group, "--help")
    assert (code, "..." in out.partition("Commands:")[2]) == (0, False)
