"""What the command line says of itself, and how it answers words that it does not know."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from typer.main import get_command

from bench.cli.app import app
from bench.cli.wording import total_words
from bench.report.plots import PLOTS
from bench.running.progress import ProgressLine
from lt_core.training import Progress
from tests.bench.harness import ROOT
from tests.bench.synthetic import trial


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


def test_a_wide_table_in_a_pipe_is_as_wide_as_a_terminal_unless_it_is_asked_for_in_full(call):
    asked = "table", "per_class", "--run", str(ROOT / "results" / "quick")
    widths = [max(len(line) for line in call(*asked, *full)[1].splitlines() if "──" in line) for full in ((), ("--full",))]
    assert widths[0] <= 120 < widths[1]


def test_a_trial_that_is_trained_is_not_said_to_be_nearly_done(monkeypatch):
    """It is still to be evaluated and written; on a busy machine this took a minute, during which "0 s left" was shown."""
    spec = trial().spec
    line = ProgressLine([spec], already=0, workers=1, stream=io.StringIO())
    line.started -= 60
    line.progress(spec, Progress(1, 2, None))
    assert line.text().endswith("1 running · 60 s left")
    line.progress(spec, Progress(2, 2, None))
    assert line.text().endswith("1 running")


@pytest.mark.parametrize(("seconds", "said"), [(0.2, True), (30.0, True), (600.0, False)])
def test_a_short_estimate_names_what_it_leaves_out(seconds, said):
    plan = SimpleNamespace(counts=lambda: {"trials": 2, "left": 2})
    assert (" with 2 at a time, plus the start of the run" in total_words([plan], seconds, 2)) == said
