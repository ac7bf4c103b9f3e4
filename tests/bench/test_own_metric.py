"""A user's own metric is defined in one place, and everything that shows figures has it."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess

import numpy as np
import pandas as pd
import pytest

from bench.analysis.leaderboard import leaderboard
from bench.records.store import Store
from bench.report import page
from bench.report.tables import TABLES
from bench.tuning import driver as tuning
from bench.tuning import summary, winners
from lt_core.errors import UserError
from lt_core.metrics import METRICS, base, metric, registered
from tests.bench import synthetic
from tests.bench.harness import ROOT, command
from tests.bench.spaces import STUDY, inline, space
from tests.bench.synthetic import trial

RECALLS = {"softmax": (90, 80, 70, 60, 50, 50, 50, 50, 50, 40), "focal": (80, 80, 70, 60, 50, 50, 50, 50, 50, 45)}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Forgets what a test registers when the test is over."""
    monkeypatch.setattr(METRICS, "_items", dict(METRICS._items))
    monkeypatch.setattr(base, "_FAILED", set())
    return METRICS


CODE = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.S)[1]


@pytest.fixture
def two_worst(registry):
    """The metric of docs/metrics.md."""
    exec(CODE, {})
    return registry["two_worst"]


def test_it_is_short():
    assert len(CODE.strip().splitlines()) <= 10


@pytest.fixture
def store(tmp_path):
    """Two methods with two trials each. Their worst class has a recall of 40 and of 45 %, their two worst of 45 and of 47.5 %."""
    return synthetic.store(tmp_path / "run", [trial(m, seed, recalls=r) for m, r in RECALLS.items() for seed in (0, 1)])


def test_it_is_listed(two_worst, call):
    assert call("list", "metrics", "two*") == (0, "two_worst  mean recall of the two worst classes in %, higher is better\n", "")


def test_without_it_nothing_is_left_of_it(call):
    assert call("list", "metrics", "two*")[0] == 2


def test_it_is_the_last_column_of_the_frame(two_worst, store):
    frame = pd.read_parquet(store.path / "trials.parquet")
    assert list(frame.columns)[-2:] == ["spec", "two_worst"]
    assert frame.groupby("label")["two_worst"].first().to_dict() == {"focal": 0.475, "softmax": 0.45}
    assert frame["two_worst"].dtype == "float64"


def test_the_command_line_shows_it(two_worst, store, call):
    run = str(store.path)
    code, out, _ = call("table", "catalogue", "--run", run, "--metric", "two_worst", "--format", "md")
    assert code == 0 and "All methods: mean recall of the two worst classes in %, by imbalance factor" in out
    assert out.index("| focal | **47.50") < out.index("| softmax | <u>45.00"), out
    code, out, _ = call("leaderboard", "--run", run, "--columns", "acsa,two_worst", "--format", "csv")
    assert code == 0 and [line.split(",")[4] for line in out.splitlines() if "two worst" in line] == ["45.0", "47.5"]
    code, out, _ = call("compare", run, "--metric", "two_worst", "--format", "csv")
    assert code == 0 and "+2.50" in out
    assert call("export", "--run", run, "--out", "board")[0] == 0
    assert pd.read_csv("board/leaderboard.csv").set_index("label")["two_worst"].to_dict() == {"focal": 47.5, "softmax": 45.0}


def test_it_ranks_in_the_direction_that_it_declares(two_worst, store):
    metric("gap", "best recall less worst", lower_is_better=True)(lambda outcome: np.ptp(outcome.recall))
    board = leaderboard(Store(store.path).frame(), "gap").set_index("label")
    assert board["gap"].to_dict() == pytest.approx({"softmax": 50.0, "focal": 35.0})
    assert board["rank"].to_dict() == {"softmax": 2, "focal": 1}


def test_the_page_has_a_column_for_it(two_worst, store):
    html = page.render(store)
    assert "two worst (%)" in html and "mean recall of the two worst classes, mean ± standard deviation (n − 1)" in html


def test_a_study_seeks_it(two_worst, tmp_path):
    asked = space(objectives=["two_worst", "seconds"], trials=2, studies={"la": STUDY})
    store = Store.create(tmp_path / "tiny")
    (one,) = tuning.tune(asked, store, inline, say=lambda words: None)
    assert [d.name for d in one.optuna.directions] == ["MAXIMIZE", "MINIMIZE"]
    results = {result.trial_id: result for result in store.results()}
    for found in one.optuna.trials:
        (made,) = (results[i] for i in found.user_attrs["trial_ids"])
        assert found.values == [sum(sorted(made.outcome(validation=True).recall)[:2]) / 2, made.seconds["train"]]
    table = summary.table(asked, [winners.winner(one)], store)
    best = max(found.values[0] for found in one.optuna.trials)
    assert (
        table.notes[0]
        == "mean recall of the two worst classes in %, mean over the data columns; n counts combinations of subset and seed"
    )
    assert table.rows[1].cells[1].mean == pytest.approx(100 * best)


def test_an_installed_package_brings_it(tmp_path):
    info = tmp_path / "lt_worst-1.0.dist-info"
    info.mkdir()
    (tmp_path / "lt_worst.py").write_text(CODE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lt-worst\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lt_bench.metrics]\nworst = lt_worst\nbroken = nowhere\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command("list", "metrics", "two*"), capture_output=True, text=True, env=environment, timeout=100)
    assert done.stdout == "two_worst  mean recall of the two worst classes in %, higher is better\n"
    assert "metrics of nowhere are not available: No module named 'nowhere'" in done.stderr


# What can go wrong -----------------------------------------------------------------------------------


def test_rows_without_records_that_are_older_than_it_have_none(store, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    (store.path / "trials.parquet").rename(alone / "trials.parquet")
    metric("worst", "recall of the worst class")(lambda outcome: outcome.recall.min())
    frame = Store.open(alone).frame()
    assert frame["worst"].isna().all() and frame["accuracy"].notna().all()
    assert "worst" not in TABLES["catalogue"](frame, "worst").rows[0].cells[0].words()
    assert leaderboard(frame)["worst"].isna().all()


def test_rows_are_made_anew_when_its_file_changes(store, tmp_path, registry):
    file = tmp_path / "mine.py"
    for share in (1, 2):
        file.write_text(
            "from lt_core.metrics import metric\n"
            f"metric('worst', 'recall of the worst class')(lambda outcome: outcome.recall.min() / {share})\n"
        )
        spec = importlib.util.spec_from_file_location("mine", file)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        fresh = Store(store.path)
        fresh.compact()
        assert fresh.frame().groupby("label")["worst"].first().to_dict() == {"focal": 0.45 / share, "softmax": 0.4 / share}
        assert fresh._frames.are_of(fresh._files.states())  # what was written is read until it changes
        del registry._items["worst"]


def test_one_that_fails_takes_no_run_down(tmp_path, registry):
    metric("broken", "a figure that fails")(lambda outcome: 1 / 0)
    with pytest.warns(
        UserWarning, match="metric broken fails for some trials and is left empty there: ZeroDivisionError"
    ) as told:
        store = synthetic.store(tmp_path / "run", [trial(seed=seed) for seed in (0, 1)])
        frame = store.frame()
    assert len(told) == 1
    assert frame["broken"].isna().all() and (frame["status"] == "ok").all() and frame["accuracy"].notna().all()
    assert leaderboard(frame).loc[0, "acsa"] > 0
    assert "a figure that fails" not in page.render(store)


def test_an_objective_that_fails_on_real_predictions_fails_its_setting(tmp_path, registry):
    metric("perfect", "1 for perfect predictions, else an error")(lambda outcome: 1 / int(outcome.recall.min()))
    asked = space(objectives="perfect", trials=1, studies={"la": STUDY}, recipe={"base": "digits", "epochs": 1})
    with pytest.warns(UserWarning, match="metric perfect fails for some trials and is left empty"):
        (one,) = tuning.tune(asked, Store.create(tmp_path / "tiny"), inline, say=lambda words: None)
    (only,) = one.optuna.trials
    assert only.state.name == "FAIL" and only.user_attrs["cause"] == "objective perfect has no value for what was predicted"
    with pytest.raises(winners.NothingFinished):
        winners.winner(one)


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        ("ece", "objective ece is computed from confidences, which are kept for the test set only"),
        ("nowhere", "objective nowhere has no value, and digits here has classes of"),
        (["acsa", "balanced_accuracy"], "objectives must be one metric, or a list of different metrics"),
        (["worst", "seconds"], "unknown objective 'worst'"),
    ],
)
def test_objectives_that_no_setting_would_have_are_refused(registry, objectives, words):
    metric("nowhere", "nothing at all")(lambda outcome: math.nan)
    with pytest.raises(UserError) as caught:
        space(objectives=objectives)
    assert words in str(caught.value)


def test_an_objective_may_go_by_the_name_that_tables_have(registry):
    assert space(objectives="acsa").objectives == ("acsa",)
    assert space(objectives="error", pruner="asha").objectives == ("error",)
    with pytest.raises(UserError, match="needs a single objective"):
        space(objectives="macro_f1", pruner="asha")


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("seed", {}),
        ("dataset", {"measured": True}),
        ("mine", {"column": "epochs"}),
        ("label", {"column": "mine"}),
        ("rank", {}),
        ("n", {}),
        ("run", {}),
    ],
)
def test_a_name_that_another_column_has_is_refused_where_it_is_declared(registry, name, declared):
    with pytest.raises(UserError, match=f"^metric {name}: '.+' is already a column of the results or the leaderboard"):
        metric(name, "something else", **declared)
    assert name not in registry


def test_no_metric_can_go_by_a_name_that_frames_and_leaderboard_use(store):
    of_metrics = {word for made in METRICS.values() for word in (made.name, made.column, f"{made.name}_std")}
    frame = Store(store.path).frame()
    assert {*frame.columns, *leaderboard(frame).columns} - of_metrics <= registered.RESERVED
