"""Cached listings: they are fast, and never from another state of the code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.cli import kept, listing
from lt_core import plugins
from tests.bench.harness import ROOT

ANSWER = [{"name": "softmax", "about": "ü"}]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A function that lists methods, and a count of how often the listing was made; the code is a single file."""
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "loss.py").write_text("1")
    monkeypatch.setattr(kept, "_CODE", (tmp_path / "code",))
    calls = []

    def ask(what="methods", pattern="*"):
        made = kept.listing(what, pattern, lambda given: calls.append(given) or ANSWER)
        assert made == ANSWER
        return len(calls)

    return ask


def test_a_question_is_gone_through_once_until_the_code_changes(asked, tmp_path):
    assert (asked(), asked(), asked(pattern="cb_*"), asked(pattern="cb_*"), asked("recipes")) == (1, 1, 2, 2, 3)
    (tmp_path / "code" / "loss.py").write_text("1 + 1")
    assert (asked(), asked()) == (4, 4)
    (tmp_path / "code" / "new.yaml").write_text("")
    assert asked() == 5
    assert (asked("datasets"), asked("datasets")) == (6, 7), "a user may have added one"


def test_a_damaged_or_unwritable_cache_costs_seconds_alone(asked, tmp_path):
    asked()
    for file in (tmp_path / "cache" / "listings").iterdir():
        file.write_text("{")
    assert (asked(), asked()) == (2, 2)
    for file in (tmp_path / "cache" / "listings").iterdir():
        file.unlink()
    (tmp_path / "cache" / "listings").rmdir()
    (tmp_path / "cache" / "listings").write_text("a file")
    assert (asked(), asked()) == (3, 4)


def test_what_others_add_is_never_kept(asked, tmp_path, monkeypatch):
    asked()
    monkeypatch.setattr(kept, "offering_packages", lambda: {"theirs": "1"})
    assert (asked(), asked()) == (2, 3)
    monkeypatch.undo()
    monkeypatch.setattr(plugins, "loaded", lambda: ["one"])
    made = []
    kept.listing("methods", "*", lambda given: made.append(given) or ANSWER)
    assert made == ["*"]


def test_the_second_time_nothing_heavy_is_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("LT_CACHE", str(tmp_path))
    code = "import sys; from bench.cli.app import app; app(['list', 'methods', 'ldam*'], standalone_mode=False)"
    said = [
        subprocess.run(
            [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"], capture_output=True, text=True, cwd=ROOT, check=True
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert said[0][:-1] == said[1][:-1] == listing.methods_listing(listing.methods("ldam*")).splitlines()
    assert [lines[-1] for lines in said] == ["True", "False"]
