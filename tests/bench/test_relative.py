"""Accuracy relative to training on the same number of balanced images, on synthetic rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.leaderboard import leaderboard
from bench.report.page.board import board as board_of_page
from bench.report.render import FORMATS
from bench.report.tables.leaderboard import DEFAULT, build, choose
from lt_core.fields import build as build_record
from lt_core.result import FAILED
from lt_core.spec import DataSpec
from tests.bench import synthetic
from tests.bench.synthetic import trial

IMAGES = sum(trial().train_counts)  # 560


@pytest.fixture
def board(tmp_path):
    """A function from results to their leaderboard, by label."""
    made = iter(range(9))
    return lambda *results: leaderboard(synthetic.store(tmp_path / f"run{next(made)}", results).frame())


def balanced(size, recall=80, label="softmax", seed=0, counts=False, **recipe):
    """A trial on ``size`` images of each of ten classes."""
    data = {"imbalance_type": "counts", "counts": [size] * 10} if counts else {"imbalance_factor": 1, "n_max": size}
    plain = trial(label, seed, factor=1, recalls=[recall] * 10)
    spec = replace(
        plain.spec, data=build_record(DataSpec, {"dataset": "digits", **data}), recipe=replace(plain.spec.recipe, **recipe)
    )
    return replace(plain, spec=spec, train_counts=[size] * 10)


def row(board, label="softmax", column="digits IF 50"):
    (found,) = board[(board["label"] == label) & (board["column"] == column)].to_dict("records")
    return found


def test_accuracy_over_that_of_the_plain_method_on_as_many_balanced_images(board):
    """60 and 72 % relative to 78 and 82 %, whose mean is 80 %, are 75 and 90 %."""
    assert IMAGES == 560
    made = board(
        trial(recalls=[60] * 10), trial("focal", recalls=[72] * 10), balanced(56, 78), balanced(56, 82, seed=1),
        balanced(56, 99, "focal"),
    )  # fmt: skip
    assert row(made)["relative_accuracy"] == pytest.approx(75) and row(made, "focal")["relative_accuracy"] == pytest.approx(90)
    assert row(made)["reference"] == "80.00 (n=2), softmax on digits IF 1"
    assert row(made, column="digits IF 1")["relative_accuracy"] == pytest.approx(100), "it is its own reference"


def test_explicit_class_sizes_may_be_balanced_too(board):
    made = board(trial(recalls=[60] * 10), balanced(56, counts=True))
    assert row(made)["relative_accuracy"] == pytest.approx(75)


@pytest.mark.parametrize("size", [55, 57])
def test_more_or_fewer_images_are_no_reference(board, size):
    assert abs(10 * size - IMAGES) > 0.01 * IMAGES
    made = board(trial(), balanced(size))
    assert np.isnan(row(made)["relative_accuracy"]) and row(made)["reference"] == ""


@pytest.mark.parametrize("other", [{"epochs": 9}, {"lr": 0.5}, {"model": "mlp"}])
def test_another_budget_is_no_reference(board, other):
    made = board(trial(), balanced(56, **other))
    assert made["relative_accuracy"].notna().sum() == 1, "that of the reference itself"


def test_only_plain_cross_entropy_that_finished_is_a_reference(board):
    failed = replace(balanced(56), status=FAILED, cause="no")
    made = board(trial(), balanced(56, label="focal"), failed)
    assert made["relative_accuracy"].isna().all()


def test_of_several_the_nearest_is_the_reference(board):
    tail = replace(trial(recalls=[60] * 10), train_counts=[1000] * 5 + [10] * 5)  # 5,050 images
    made = board(tail, balanced(503, 50), balanced(505, 75), balanced(507, 90))
    assert row(made)["relative_accuracy"] == pytest.approx(80)
    assert row(made)["reference"] == "75.00 (n=1), softmax on digits IF 1, n_max 505"


def test_a_reference_that_is_never_right_divides_nothing(board):
    assert np.isnan(row(board(trial(), balanced(56, 0)))["relative_accuracy"])


def test_tables_show_it_to_whoever_asks_and_the_page_where_it_is(board, tmp_path):
    made = board(trial(recalls=[60] * 10), trial("focal", recalls=[72] * 10), balanced(56, 80))
    assert "relative_accuracy" not in DEFAULT
    table = build(made, "acsa", choose("relative_accuracy,reference"))[0]
    text = FORMATS["terminal"][0](table)
    assert "rel. acc." in text and "90.00" in text and "80.00 (n=1), softmax on digits IF 1" in text
    assert "accuracy in % of that of plain cross-entropy" in text
    page = board_of_page(synthetic.store(tmp_path / "with", [trial(), balanced(56)]).frame())
    without = board_of_page(synthetic.store(tmp_path / "without", [trial()]).frame())
    shown = [{heading.name for heading in found.headings} for found in (page, without)]
    assert "relative accuracy (%)" in shown[0] and "relative accuracy (%)" not in shown[1]


def test_free_metrics_are_columns_of_the_leaderboard_and_of_no_table_by_default(call, tmp_path):
    store = synthetic.store(tmp_path / "run", synthetic.run(["softmax", "focal"], seeds=2))
    run, asked = str(store.path), "worst_class,h_mean,g_mean,forward_50,forward_5,acsa,backward_5,backward_50"
    code, text, _ = call("leaderboard", "--run", run, "--columns", asked)
    assert code == 0
    heads = next(line for line in text.splitlines() if "worst class" in line)
    assert heads.split("ACSA")[1].split() == ["worst", "class", "H-mean", "G-mean", "forward", "50", "forward", "5", "backward",
                                              "5", "backward", "50"]  # fmt: skip
    assert text.count("forward 50: accuracy on a test set in which the head is 50 times as frequent as the tail") == 1
    _, plain, _ = call("leaderboard", "--run", run)
    assert not any(words in plain for words in ("forward", "H-mean", "worst", "rel. acc."))
    code, text, _ = call("table", "catalogue", "--run", run, "--metric", "backward_50", "--format", "md")
    assert code == 0 and "the tail 50 times as frequent as the head in %, by imbalance factor" in text
    code, text, _ = call("plot", "priors", "--run", run, "--out", "a.svg")
    assert code == 0 and (tmp_path / "a.svg").read_text().count(">softmax<") == 1
    page = board_of_page(store.frame())
    assert not any("forward" in heading.name for heading in page.headings)
    code, text, _ = call("leaderboard", "--run", run, "--columns", "forward50")
    assert code == 2
