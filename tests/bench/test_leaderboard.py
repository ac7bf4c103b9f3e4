"""The leaderboard: how it ranks, how it compares with papers' figures, and the files that it is exported to."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.analysis.board_columns import BOARD_COLUMNS
from bench.analysis.comparison import compare
from bench.analysis.leaderboard import leaderboard, measured
from bench.analysis.ranking import rank
from bench.records.record import SEALED
from bench.records.store import Store
from bench.report.export import committed, export, frame_of, runs
from bench.report.page.board import board as board_of_page
from bench.report.render import FORMATS
from bench.report.tables import TABLES
from bench.report.tables.compare import build as compare_table
from bench.report.tables.leaderboard import build, choose
from bench.suites.planning import plan
from bench.suites.selection import Selection
from bench.suites.suite import load_suite, parse_suite, suite_names
from lt_core.errors import UserError
from lt_core.fields import build as build_record
from lt_core.methods import resolve
from lt_core.metrics import METRICS
from lt_core.recipes import RECIPES
from lt_core.result import FAILED, PRUNED, TrialResult
from lt_core.spec import DataSpec, TrialSpec
from tests.bench import synthetic
from tests.bench.harness import ROOT, TINY
from tests.bench.synthetic import trial


@pytest.fixture
def frame(tmp_path):
    return lambda *results, name="run": synthetic.store(tmp_path / name, results).frame()


def line(board, label, column=None):
    rows = board[board["label"] == label]
    rows = rows if column is None else rows[rows["column"] == column]
    assert len(rows) == 1
    return rows.iloc[0]


def cifar(label, accuracy, seed=0, recipe="cifar_cb", epochs=None):
    """A trial of CIFAR-10 at imbalance factor 100 with this accuracy in %."""
    made = RECIPES[recipe]
    spec = TrialSpec(DataSpec("cifar10", imbalance_factor=100), resolve(label), replace(made, epochs=epochs or made.epochs), seed)
    hits = round(10 * accuracy)
    confusion = (hits * np.eye(10, dtype=int) + (1000 - hits) * np.eye(10, k=1, dtype=int)).tolist()
    confusion[9][0] = 1000 - hits
    return replace(trial(), spec=spec, confusion=confusion)


# Whose rows ----------------------------------------------------------------------------------------


@pytest.fixture
def both(call, tmp_path):
    """Committed rows with three seeds, and the user's own run of two of these on another processor, in the current folder."""
    other = {"device_name": "another CPU"}
    committed_ones = [trial(m, s, recalls=r) for m, r in (("softmax", 0.6), ("focal", 0.7)) for s in range(3)]
    synthetic.store(tmp_path / "results" / "quick", committed_ones)
    own = [trial("softmax", s, recalls=0.9, environment=other) for s in range(2)]
    synthetic.store(tmp_path / "results" / "runs" / "quick", own)
    return call


def test_the_users_own_run_comes_before_committed_rows_of_the_same_trials_and_the_board_says_so(both):
    code, text, _ = both("leaderboard", "--columns", "run,devices")
    assert code == 0
    (softmax,) = [row for row in text.splitlines() if row.startswith(" softmax")]
    figures = [100 * trial("softmax", s, recalls=r).metrics()["balanced_accuracy"] for s, r in ((0, 0.9), (1, 0.9), (2, 0.6))]
    assert softmax.split()[1] == f"{np.mean(figures):.2f}", "two trials of one's own, one committed"
    assert "results/runs/quick, results/quick" in softmax and "a CPU, 1 thread, float32 and another CPU" in softmax
    assert "measured on a CPU, 1 thread, float32 and another CPU, 1 thread, float32, in results/runs/quick, results/quick" in text
    assert "measured on a CPU, 1 thread, float32, in results/quick: focal" in text
    assert "figures of the same trial differ slightly between these kinds of device" in text
    assert (
        "left out: 2 trials of results/quick, because results/runs/quick has the same trials (your own runs take precedence)"
        in text
    )


def test_the_name_of_a_device_or_a_folder_is_never_taken_apart(frame):
    rows = [trial(label, environment={"device_name": "one and a half CPUs"}) for label in ("softmax", "focal")]
    (table,) = build(leaderboard(frame(*rows).assign(run="runs/a, b")), "acsa")
    assert "measured on one and a half CPUs, 1 thread, float32, in runs/a, b" in table.notes
    assert not any("several kinds" in note or "--columns run" in note for note in table.notes)


def test_average_ranks_are_of_the_rows_that_are_shown(both):
    _, text, _ = both("leaderboard", "--columns", "average_rank", "--format", "csv")
    found = {row["row"]: row["mean"] for row in csv.DictReader(text.splitlines()) if row["column"] == "avg. rank"}
    assert {k: float(v) for k, v in found.items()} == {"softmax": 1, "focal": 2}, "committed softmax alone would be second"


def test_a_failed_run_of_ones_own_hides_no_finished_row_and_is_told(call, tmp_path):
    synthetic.store(tmp_path / "results" / "quick", [trial()])
    synthetic.store(tmp_path / "results" / "runs" / "quick", [trial(status=FAILED, cause="a bug")])
    _, text, _ = call("leaderboard")
    assert "left out: 1 failed trial of results/runs/quick, because results/quick has the same trials, which finished" in text


def test_a_page_of_several_kinds_of_device_has_a_column_for_them(both):
    one, several = frame_of(runs(["results/quick"])), frame_of(runs([]))
    assert "measured on" not in [heading.name for heading in board_of_page(one).headings]
    assert "measured on" in [heading.name for heading in board_of_page(several).headings]


# Ranks ----------------------------------------------------------------------------------------------


def exact_ranks(store):
    """Average ranks by balanced accuracy for a run with one budget, in exact arithmetic, because every figure is a ratio of
    counts.
    """
    of = {}
    for r in (r for r in store.results() if r.status == "ok"):
        recalls = [Fraction(row[c], sum(row)) for c, row in enumerate(r.confusion)]
        of.setdefault(r.spec.data.imbalance_factor, {}).setdefault(r.spec.method.label, []).append(sum(recalls))
    places: dict[str, list[float]] = {}
    for methods in of.values():
        means = {label: sum(values) / len(values) for label, values in methods.items()}
        for label, mean in means.items():
            better, equal = sum(m > mean for m in means.values()), sum(m == mean for m in means.values())
            places.setdefault(label, []).append(better + (equal + 1) / 2)
    return {label: sum(found) / len(found) for label, found in places.items() if len(found) == len(of)}


def test_everything_that_ranks_gives_the_ranks_of_exact_arithmetic():
    store = Store(ROOT / "results" / "quick")
    exact = pytest.approx(exact_ranks(store))
    board = leaderboard(store.frame())
    assert dict(zip(board["label"], board["average_rank"], strict=True)) == exact
    assert rank(store.frame()).ranks == exact, "the picture of ranks, as fractions"
    table = compare_table(store.frame(), "acsa", "softmax")
    told = {row.label: float(row.cells[7].text) for row in table.rows}
    assert {**told, "softmax": exact_ranks(store)["softmax"]} == pytest.approx(exact_ranks(store), abs=0.005), "in %"


def test_only_shows_fewer_rows_and_changes_none(call, tmp_path):
    run = str(synthetic.store(tmp_path / "run", synthetic.run(["softmax", "focal", "inverse"], (10, 50), 3)).path)
    _, whole, _ = call("leaderboard", "--run", run, "--format", "csv")
    code, part, _ = call("leaderboard", "--run", run, "--format", "csv", "--only", "softmax")
    assert code == 0 and part.splitlines() and set(part.splitlines()) < set(whole.splitlines())
    _, text, _ = call("leaderboard", "--run", run, "--only", "softmax", "--columns", "average_rank")
    assert "3.00" in text and "ranks and marks refer to all 3 methods of the data column" in text
    assert "*" not in text.split("mean ±")[0], "the best is not shown"


# What is not significantly different from the best --------------------------------------------------


def test_what_no_test_can_tell_apart_is_marked_too(frame):
    """The best has one seed, so nothing is tested against it, and nobody must think that the others are significantly worse."""
    rows = [trial("focal", 0, recalls=0.9), *(trial("softmax", s, recalls=0.8 + 0.03 * s) for s in range(3))]
    text = FORMATS["terminal"][0](TABLES["catalogue"](frame(*rows)))
    (softmax,) = [row for row in text.splitlines() if row.startswith(" softmax")]
    assert softmax.endswith("(n=3)+?") and "? not tested against the best: fewer than two shared seeds" in text
    board = leaderboard(frame(*rows, name="again"))
    assert line(board, "softmax")["untested"] and not line(board, "softmax")["tied"] and not line(board, "focal")["untested"]
    alone = leaderboard(frame(*rows[:2], name="alone"))
    assert not alone["untested"].any(), "of one trial a figure n = 1 says it all"


@pytest.mark.parametrize("change", [{"lr": 0.5}, {"batch_size": 8}, {"precision": "bfloat16"}, {"milestones": (0.5, 0.9)}])
def test_another_recipe_is_another_column_however_it_was_changed(frame, change):
    plain = [trial("softmax", s, recalls=0.6 + 0.01 * s) for s in range(3)]
    other = [replace(t, spec=replace(t.spec, recipe=replace(t.spec.recipe, **change))) for t in plain]
    rows = frame(*plain, *other, trial("focal", 0, recalls=0.7))
    board = leaderboard(rows)
    assert board["column"].nunique() == 2 and board["n"].max() == 3
    assert sum(f"[{next(iter(change))}=" in column for column in board["column"]) == 1
    text = FORMATS["terminal"][0](TABLES["catalogue"](rows))
    assert (
        f"3 trials with a different budget left out (digits[{next(iter(change))}=" in text
        and "instead of digits)" in text
        and "n = 6" not in text
        and "(n=6)" not in text
    )
    with pytest.raises(UserError, match="no other method was run on the same images and seeds"):
        compare(rows[(rows["label"] != "focal")].assign(label=rows["label"] + rows["recipe"]), "softmaxdigits")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"imbalance_type": "counts", "counts": [100, *[10] * 9]}, {"imbalance_type": "counts", "counts": [*[100] * 9, 10]}),
        ({"imbalance_factor": 33.3}, {"imbalance_factor": 33.33}),
        (
            {"imbalance_factor": 50, "unlabelled_ratio": 2},
            {"imbalance_factor": 50, "unlabelled_ratio": 2, "unlabelled_labelled": False},
        ),
    ],
    ids=["counts", "factor", "stream"],
)
def test_other_data_are_another_column(frame, one, other):
    base = trial("softmax")
    rows = [
        replace(base, spec=replace(base.spec, data=build_record(DataSpec, {"dataset": "digits", **data}), seed=seed))
        for data in (one, other)
        for seed in (0, 1)
    ]
    board = leaderboard(frame(*rows))
    assert board["n"].tolist() == [2, 2] and board["column"].nunique() == 2


def test_figures_on_other_data_or_of_another_recipe_reproduce_nothing(frame):
    """The paper prints 70.36 % for softmax at imbalance factor 100, on whole classes and with its own recipe."""
    same = cifar("softmax", 70.4)
    less = replace(same, spec=replace(same.spec, data=replace(same.spec.data, n_max=500)))
    hurried = replace(same, spec=replace(same.spec, recipe=replace(same.spec.recipe, lr=10.0)))
    assert line(leaderboard(frame(same, name="same")), "softmax")["verdict"] == "reproduced"
    board = leaderboard(frame(less, name="less"))
    assert np.isnan(line(board, "softmax")["published"]) and len(board) == 1
    assert line(leaderboard(frame(hurried, name="hurried")), "softmax")["verdict"] == "other budget"
    assert "paper" in FORMATS["md"][0](TABLES["cb"](frame(same, name="cb")))
    assert "paper" not in FORMATS["md"][0](TABLES["cb"](frame(less, name="cb_less")))


def test_every_table_marks_what_is_not_told_apart(frame):
    close = [trial("softmax", s, recalls=0.8 + 0.03 * (s - 1)) for s in range(3)] + [
        trial("focal", s, recalls=0.79 - 0.03 * (s - 1)) for s in range(3)
    ]
    far = [trial("inverse", s, recalls=0.4) for s in range(3)]
    for name in ("cb", "catalogue"):
        text = FORMATS["terminal"][0](TABLES[name](frame(*close, *far, name=name)))
        marked = {row.split()[0] for row in text.splitlines() if row.rstrip().endswith("≈")}
        assert marked and not any("inverse" in row for row in marked)
        assert "not significantly different from the best (block model, Tukey's range, α = 0.05)" in text


# Rows ---------------------------------------------------------------------------------------------


def test_means_ranks_and_counts(frame):
    shown = frame(
        *synthetic.run(["softmax", "focal", "inverse"], (10, 50), seeds=3),
        trial("focal", 3, factor=50, status=FAILED, cause="x"),
        trial("inverse", 4, factor=50, status=PRUNED, cause="stopped"),
    )
    board = leaderboard(shown)
    assert list(dict.fromkeys(board["column"])) == ["digits IF 50", "digits IF 10"]
    best, failed = line(board, "inverse", "digits IF 50"), line(board, "focal", "digits IF 50")
    assert (best["rank"], best["average_rank"], best["n"], best["failed"]) == (1, 1, 3, 0)
    assert (failed["n"], failed["failed"]) == (3, 1)
    rows = shown[(shown["label"] == "inverse") & (shown["imbalance_factor"] == 50) & (shown["status"] == "ok")]
    assert best["acsa"] == pytest.approx(100 * rows["balanced_accuracy"].mean())
    assert best["acsa_std"] == pytest.approx(100 * rows["balanced_accuracy"].std(ddof=1))
    assert np.isnan(best["gpu_hours"])


def test_every_column_beside_the_figures_is_declared_once(frame):
    board = leaderboard(frame(*synthetic.run(["softmax", "focal"])))
    figures = {name + ending for name in METRICS for ending in ("", "_std")}
    said_of_trials = {"suite", "dataset", "imbalance_type", "imbalance_factor", "label_fraction", "method", "label", "recipe"}
    assert set(board.columns) - figures - said_of_trials - {"model", "epochs"} == set(BOARD_COLUMNS)


def test_a_metric_that_falls_ranks_upside_down(frame):
    board = leaderboard(frame(*synthetic.run(["softmax", "focal"])), "error")
    assert line(board, "focal")["rank"] == 1
    assert line(leaderboard(frame(*synthetic.run(["softmax", "focal"])), "seconds"), "softmax")["rank"] == 1


def test_a_trial_in_two_runs_counts_once_and_the_finished_one_counts(tmp_path):
    done, broken = trial(), trial(status=FAILED, cause="x")
    stores = [synthetic.store(tmp_path / name, [result]) for name, result in (("a", broken), ("b", done))]
    row = line(leaderboard(frame_of(stores)), "softmax")
    assert (row["n"], row["failed"]) == (1, 0)


def test_a_collapsed_seed_is_counted_beside_its_figure(frame):
    fallen = replace(trial(seed=1), confusion=[[100] + [0] * 9 for _ in range(10)])
    shown = frame(trial(), fallen)
    assert line(leaderboard(shown), "softmax")["collapsed"] == 1
    assert "(1 collapsed)" in FORMATS["terminal"][0](TABLES["cb"](shown))


def test_hours_count_on_a_gpu_alone(frame):
    board = leaderboard(frame(*(trial(seed=s, seconds=1800.0, environment={"device": "cuda"}) for s in range(2))))
    assert line(board, "softmax")["gpu_hours"] == pytest.approx(1.0)


def test_hours_on_a_part_of_a_gpu_or_on_several_count_as_such(frame):
    whole, shared, team, cpu = (
        trial(seed=seed, seconds=3600.0, environment={"device": "cpu" if seed == 3 else "cuda", **gpus})
        for seed, gpus in enumerate(({}, {"gpus": 0.25}, {"gpus": 2}, {}))
    )
    assert line(leaderboard(frame(whole, shared, team, cpu)), "softmax")["gpu_hours"] == pytest.approx(3.25)


def test_budgets_are_columns_of_their_own(frame):
    board = leaderboard(frame(cifar("softmax", 60), cifar("softmax", 50, epochs=40)))
    assert set(board.loc[board["n"] > 0, "column"]) == {"cifar10 IF 100, epochs 200", "cifar10 IF 100, epochs 40"}


@pytest.mark.parametrize(
    ("accuracy", "changes", "verdict"),
    [
        (70.3, {}, "reproduced"), (70.8, {}, "reproduced"), (71.2, {}, "within a point"), (69.4, {}, "within a point"),
        (72.0, {}, "off"), (70.4, {"epochs": 40}, "other budget"), (70.4, {"recipe": "cifar_ldam"}, "other budget"),
    ],
)  # fmt: skip
def test_a_measured_figure_is_judged_beside_the_published_one(frame, accuracy, changes, verdict):
    row = line(measured(leaderboard(frame(cifar("softmax", accuracy, **changes)))), "softmax")
    assert row["published"] == 70.36  # 100 − 29.64, Cui et al. 2019, table 2
    assert row["difference"] == pytest.approx(accuracy - 70.36)
    assert row["verdict"] == verdict
    assert row["paper"] == "Cui et al. 2019, table 2"


def test_what_a_paper_prints_and_nobody_ran_is_not_run(frame):
    board = leaderboard(frame(cifar("softmax", 70)))
    row = line(board, "sigmoid")
    assert (row["verdict"], row["n"]) == ("not run", 0)
    assert row["published"] > 60
    assert "not run" in FORMATS["terminal"][0](build(board, "acsa")[0])
    assert measured(board)["label"].tolist() == ["softmax"]


def test_a_method_that_failed_was_run(frame):
    failed = replace(trial(status="failed"), spec=cifar("focal", 0).spec)
    board = leaderboard(frame(cifar("softmax", 70), failed))
    assert set(measured(board)["label"]) == {"softmax", "focal"}


def test_a_row_without_a_published_figure_has_no_verdict(frame):
    board = leaderboard(frame(trial()))
    assert line(board, "softmax")["verdict"] == ""
    assert "published" not in FORMATS["terminal"][0](build(board, "acsa")[0])


def test_the_command_of_a_row_runs_its_trials_and_no_others(frame):
    suite = load_suite("quick")
    results = [
        TrialResult(spec, **{k: v for k, v in vars(trial()).items() if k not in ("spec", "environment")},
                    environment={**trial().environment, "command": "bench.py run quick --seeds 3 --data /x"})
        for spec in suite.specs
    ]  # fmt: skip
    shown = frame(*results, name="quick")
    board = leaderboard(shown)
    for _, row in board.iloc[::7].iterrows():
        words = row["command"].replace("'", "").split()
        assert words[:4] == ["python", "bench.py", "run", "quick"]
        where = dict(item.split("=") for item in words[words.index("--where") + 1].split(","))
        chosen = plan(suite, only=words[words.index("--only") + 1], where=where)
        same = (shown["label"] == row["label"]) & (shown["imbalance_factor"] == row["imbalance_factor"])
        assert {spec.trial_id for spec in chosen.specs} == set(shown.loc[same, "trial_id"])


@pytest.mark.parametrize(
    "data",
    [
        [{"dataset": "digits", "imbalance_factor": [10, 1], "n_max": [50, 60]}],
        [{"dataset": "digits", "imbalance_type": ["natural", "majority"]}, {"dataset": "digits", "imbalance_factor": 10}],
        [
            {"dataset": "digits", "imbalance_factor": 10, "n_max": 60, "unlabelled_ratio": 1, "unlabelled_imbalance": factor}
            for factor in (None, 5)
        ],
        [{"dataset": "digits", "imbalance_factor": 10, "class_order_seed": seed} for seed in (None, 3)],
    ],
)
def test_the_commands_of_a_suite_run_each_of_its_trials_once(frame, data):
    # The second label has the same method as the first, so the method's name alone would match both.
    suite = parse_suite("run", {**TINY, "data": data, "methods": ["softmax", {"softmax": {"weights": "inverse"}}]})
    rows = frame(*(replace(trial(), spec=spec) for spec in suite.specs))
    board = leaderboard(rows)
    found = []
    for command in board["command"]:
        words = shlex.split(command)
        chosen = Selection(only=words[words.index("--only") + 1], where=words[words.index("--where") + 1])
        found += [spec.trial_id for spec in plan(suite, selection=chosen).specs]
    assert len(board) > 1 and sorted(found) == sorted(spec.trial_id for spec in suite.specs)


def test_a_command_with_an_unbalanced_quote_costs_nothing(frame):
    made = frame(trial(environment={"command": "bench.py run synthetic --out 'x"}))
    assert line(leaderboard(made), "softmax")["command"].startswith("python bench.py run ")


def test_a_command_keeps_what_changes_its_trials(frame):
    made = frame(trial(environment={"command": "bench.py run synthetic --seeds 5 --epochs 3 --precision=float32 --out x"}))
    assert line(leaderboard(made), "softmax")["command"].endswith("--seeds 5 --epochs 3 --precision float32")
    tuned = frame(trial(environment={"command": "bench.py tune --backend inline spaces/mine.yaml"}), name="mine")
    assert line(leaderboard(tuned), "softmax")["command"] == "python bench.py tune spaces/mine.yaml"


# Tables and files ---------------------------------------------------------------------------------


def test_columns_and_order_are_the_readers_choice(frame):
    board = leaderboard(frame(*synthetic.run(["softmax", "focal", "inverse"])))
    (table,) = build(board, "acsa", choose("few,seconds,command"), sort="seconds")
    assert [column.name for column in table.columns] == ["ACSA", "few", "seconds", "command"]
    assert [row.label for row in table.rows] == ["softmax", "focal", "inverse"]  # the fastest first
    (table,) = build(board, "acsa", choose("few,relative_accuracy,gpu_hours"))
    assert [column.name for column in table.columns] == ["ACSA", "few"]
    for asked in ("relative_accuracy", "gpu_hours"):
        assert f"{asked}: left out, because no trial here has a value" in table.notes
    assert not any("left out" in note for note in build(board, "acsa")[0].notes), "nobody asked for these columns"
    with pytest.raises(UserError, match="did you mean 'few'"):
        choose("acsa,fwe")
    with pytest.raises(UserError, match="unknown column to sort by"):
        build(board, "acsa", sort="verdict")


def test_the_same_records_give_the_same_bytes_in_every_format(tmp_path):
    results = [*synthetic.run(["softmax", "focal"], (10, 50)), cifar("softmax", 70)]
    stores = [synthetic.store(tmp_path / name / "run", order) for name, order in (("a", results), ("b", results[::-1]))]
    files = [export([store], tmp_path / f"out{i}") for i, store in enumerate(stores)]
    assert [f.suffix for f in files[0]] == [".md", ".csv", ".tex", ".json", ".html", ".parquet"]
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    assert len(pd.read_parquet(files[0][-1])) == len(json.loads(files[0][3].read_text())) == len(pd.read_csv(files[0][1]))


UNFINISHED = {"cifar_lt"}  # the time on a borrowed GPU ran out
COMMITTED = sorted(path.parent.name for path in (ROOT / "results").glob("*/trials.parquet"))


@pytest.mark.parametrize("name", [name for name in COMMITTED if name in suite_names()])
def test_the_committed_rows_are_the_trials_of_their_suites_as_they_stand(name):
    """If a change gave a trial another id, its rows would belong to no trial, and nobody could reproduce them."""
    store = Store(ROOT / "results" / name)
    counts = plan(load_suite(name), store).counts()
    assert counts["done"] == len(store.frame()) > 0
    assert counts["done"] + counts["left"] == counts["trials"] and (counts["left"] == 0 or name in UNFINISHED)


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_rows_name_the_suite_of_their_folder(name):
    """The leaderboard prints a command with that name. Rows that were merged in a folder of another name would lead nowhere."""
    assert set(pd.read_parquet(ROOT / "results" / name / "trials.parquet", columns=["suite"])["suite"]) == {name}


def test_the_committed_leaderboard_is_that_of_the_committed_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    fresh = export(committed(), tmp_path)
    stale = [
        f.name for f in fresh if f.suffix != ".parquet" and f.read_bytes() != (Path("results/leaderboard") / f.name).read_bytes()
    ]
    assert not stale, "run `python bench.py export` and commit what it writes"
    pd.testing.assert_frame_equal(pd.read_parquet(fresh[-1]), pd.read_parquet("results/leaderboard/leaderboard.parquet"))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here")
def test_latex_compiles(frame, tmp_path):
    shown = frame(*synthetic.run(["softmax", "focal", "cb_focal[cb_beta=0.99]"], (10, 50)), cifar("softmax", 70))
    shown.loc[shown["label"] == "focal", "label"] = r"a_b&c%d#e$f{g}~h^i\j<k>[γ=1,β≈2,α→∞]"
    texts = [FORMATS["latex"][0](TABLES[name](shown)) for name in ("cb", "catalogue")]
    texts += [FORMATS["latex"][0](table) for table in build(leaderboard(shown), "acsa")]
    texts.append((ROOT / "results" / "leaderboard" / "leaderboard.tex").read_text())
    document = r"\documentclass{article}\usepackage[margin=1cm,paperwidth=60cm,paperheight=60cm]{geometry}\usepackage{booktabs}"
    (tmp_path / "t.tex").write_text("\n".join([document, r"\begin{document}", *texts, r"\end{document}"]))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "t.log").read_text()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory of a process is read from /proc")
@pytest.mark.slow
def test_twenty_thousand_records_take_seconds_and_little_memory(tmp_path):
    gammas = np.round(np.linspace(0.1, 2.5, 25), 3)
    labels = [f"cb_focal[cb_beta={beta},gamma={gamma}]" for beta in (0.9, 0.99, 0.999, 0.9999) for gamma in gammas]
    store = Store.create(tmp_path / "big")
    base = {k: v for k, v in trial(curve=np.linspace(0.1, 0.9, 20)).to_record().items() if k not in ("spec", "trial_id")}
    rest = json.dumps({**base, "schema": SEALED})[1:]
    for label in labels:
        for factor in (10, 20, 50, 100, 200):
            spec = trial(label, factor=factor).spec
            for one in (replace(spec, seed=seed) for seed in range(40)):
                head = json.dumps({"trial_id": one.trial_id, "spec": one.to_dict()})[1:-1]
                content = f"{head}, {rest}"
                digest = hashlib.sha256(content.encode()).hexdigest()
                (store.records / f"{one.trial_id}.json").write_text(f'{{"sha256":"{digest}",{content}')
    assert len(list(store.records.iterdir())) == 20_000
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        "sys.argv = ['bench.py']\n"
        "from bench.records.store import Store\n"
        "from bench.report.tables import TABLES\n"
        "from bench.analysis.leaderboard import leaderboard\n"
        f"path = {str(store.path)!r}\n"
        "def timed(name, call):\n"
        "    start = time.process_time(); call()\n"
        "    print(name, time.process_time() - start)\n"
        "import json\n"
        "text = next(Store(path).records.iterdir()).read_text()\n"
        "timed('yardstick', lambda: [json.loads(text) for _ in range(20_000)])\n"
        "timed('compaction', lambda: Store(path).compact())\n"
        "store = Store(path)\n"
        "timed('table', lambda: TABLES['catalogue'](store.frame()))\n"
        "timed('leaderboard', lambda: leaderboard(store.frame()))\n"
        # Not ru_maxrss, which starts with the resident memory of the parent process, here pytest.
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print('memory', int(peak.split()[1]) / 2**20)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    found = {name: float(value) for name, value in (row.split() for row in done.stdout.splitlines())}
    # CPU seconds, scaled to a machine on which the standard library parses these records in 1.35 s, like two quiet cores of an
    # AMD EPYC. On the same cores next to other work, everything takes up to half as much time again.
    assert max(found["compaction"], found["table"], found["leaderboard"]) * 1.35 / found["yardstick"] < 10, found
    assert found["memory"] < 1, found  # GiB


# Bad input ----------------------------------------------------------------------------------------


def test_an_empty_run_and_mixed_protocols_are_told(tmp_path):
    empty = Store.create(tmp_path / "empty")
    with pytest.raises(UserError, match=r"no trial has finished in .*empty: run it first"):
        frame_of([empty])
    other = replace(trial(seed=1), spec=replace(trial(seed=1).spec, protocol=2))
    stores = [synthetic.store(tmp_path / "a", [trial()]), synthetic.store(tmp_path / "b", [other])]
    with pytest.raises(UserError, match=r"different versions of the protocol \(1: a; 2: b\)"):
        frame_of(stores)


def test_one_seed_has_no_interval_and_says_so(frame):
    text = FORMATS["terminal"][0](build(leaderboard(frame(*synthetic.run(["softmax", "focal"], seeds=1))), "acsa")[0])
    assert "one trial per figure (n = 1), so no standard deviation and no test" in text
    assert "≈" not in text and "±" not in text.split("\n\n")[1]


def test_the_command_line_tells_bad_input_in_a_sentence(call, tmp_path):
    store = synthetic.store(tmp_path / "run", [trial()])
    for arguments, words in (
        (["leaderboard", "--run", str(store.path), "--metric", "acs"], "did you mean 'acsa'"),
        (["leaderboard", "--run", str(store.path), "--only", "nothing*"], "matches none of the methods: softmax"),
        (["leaderboard", "--run", str(store.path), "--format", "pdf"], "unknown format 'pdf'"),
        (["export", "--run", str(store.path), "--out", "/proc/nowhere"], "cannot be written"),
        (["report", str(store.path), "--out", "/proc/nowhere/a.html"], "cannot be written"),
    ):
        code, _, err = call(*arguments)
        assert code == 2 and err.startswith("error: ") and err.count("\n") == 1
        assert words in err
    code, out, _ = call("leaderboard", "--run", str(store.path), "--format", "csv")
    assert code == 0 and out.startswith("row,group,column,published,mean,std,n")
