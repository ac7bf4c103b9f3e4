"""A run together with the rows of another one, such as a user's method next to committed rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.records import frames
from bench.records.beside import opened
from bench.records.merge import merge
from bench.records.store import Store
from bench.report.tables.compare import build
from lt_core.result import FAILED
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


def searched(results):
    """The same trials, run by a search."""
    return [replace(result, environment={**result.environment, "searched_by": "space"}) for result in results]


@pytest.mark.parametrize("together", ["beside", "merged"])
@pytest.mark.parametrize("first", [True, False])
def test_a_finished_trial_of_a_suite_is_shown_instead_of_a_failed_one_or_one_of_a_search(tmp_path, first, together):
    softmax, ldam = synthetic.run(["softmax"], seeds=3), synthetic.run(["ldam"], seeds=3)
    failed = [synthetic.trial(seed=seed, status=FAILED, cause="lost") for seed in range(3)]
    assert {one.trial_id for one in failed} <= {one.trial_id for one in softmax}
    stores = [synthetic.store(tmp_path / "a", [*failed, *searched(ldam)]), synthetic.store(tmp_path / "b", [*softmax, *ldam])]
    stores = stores if first else stores[::-1]
    if together == "merged":
        merge(stores, tmp_path / "merged")
        store = Store.open(tmp_path / "merged")
    else:
        store = opened(str(stores[0].path), [str(stores[1].path)])
    for frame in (store.frame(), frames.build(store.results(), "run")["trials"]):
        assert len(frame) == 6 and set(frame["status"]) == {"ok"} and not frame["searched"].any()
    assert len(store.per_class()) == 60
