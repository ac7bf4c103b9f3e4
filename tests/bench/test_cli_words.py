"""What the command line says of itself, and how it answers words that it does not know."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from bench.cli.app import app
from bench.report.plots import PLOTS
from tests.bench.harness import ROOT


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


def test_list_alone_says_what_can_be_listed(call):
    code, _, err = call("list")
    assert (code, err.startswith("error: say what to list: methods, datasets, ")) == (2, True)


def test_a_list_of_choices_leaves_out_more_than_two_or_none(call):
    code, _, err = call("plot", "zzz", "--run", str(ROOT / "results" / "quick"))
    assert code == 2 and "more" not in err, "thirteen kinds"
    assert [name for name in PLOTS if name not in err] == []


def test_methods_to_choose_from_are_sorted(call):
    code, _, err = call("table", "cb", "--run", str(ROOT / "results" / "quick"), "--only", "zzz*")
    listed = re.sub(r" and \d+ more", "", err.strip().partition("which has ")[2]).split(", ")
    assert code == 2 and len(listed) > 5 and listed == sorted(listed)
