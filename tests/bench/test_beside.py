"""A run together with the rows of another one, such as a user's method next to committed rows."""

from __future__ import annotations

import pytest

from bench.records.beside import opened
from bench.report.tables.compare import build
from tests.bench import synthetic
from tests.bench.harness import cli


@pytest.fixture
def two(tmp_path):
    """A run with ``mine`` and with one trial of the other run; and the other run."""
    committed = synthetic.run(["softmax", "ldam"], seeds=3)
    synthetic.store(tmp_path / "committed", committed)
    synthetic.store(tmp_path / "own", [*synthetic.run(["logit_adjusted"], seeds=3), committed[0]])
    return str(tmp_path / "own"), str(tmp_path / "committed")


def test_rows_of_both_are_compared_and_a_trial_of_both_counts_once(two):
    own, committed = two
    store = opened(own, [committed])
    assert sorted(store.frame()["label"]) == ["ldam"] * 3 + ["logit_adjusted"] * 3 + ["softmax"] * 3
    assert set(store.per_class()["trial_id"]) == set(store.frame()["trial_id"]) == {r.trial_id for r in store.results()}
    assert {row.label: row.cells[0].text for row in build(store.frame()).rows} == {"ldam": "3", "logit_adjusted": "3"}
    assert opened(own).frame()["label"].nunique() == 2


def test_every_command_that_shows_a_run_takes_another_beside_it(two, tmp_path):
    own, committed = two
    for command in (("table", "catalogue", "--run", own), ("compare", own), ("report", own, "--out", str(tmp_path / "r.html"))):
        done = cli(*command, "--beside", committed)
        assert done.returncode == 0, done.stderr
        assert "ldam" in (done.stdout if command[0] != "report" else (tmp_path / "r.html").read_text())
    done = cli("compare", own, "--beside", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "nowhere" in done.stderr and "Traceback" not in done.stderr
