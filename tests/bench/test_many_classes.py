"""Trials with thousands of classes: what is shown, that it is said what is not, and that nothing grows too large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.records import frames
from bench.records.stored import figures_of
from bench.report import page
from bench.report.plots import PLOTS
from bench.report.tables import TABLES
from tests.bench import synthetic
from tests.bench.many_classes import CLASSES, IMAGES, many
from tests.bench.synthetic import trial


@pytest.fixture(scope="module")
def results():
    return [many(label, seed) for label in ("softmax", "focal") for seed in (0, 1)]


@pytest.fixture(scope="module")
def store(results, tmp_path_factory):
    return synthetic.store(tmp_path_factory.mktemp("many") / "run", results)


def test_figures_are_those_of_the_counts(store, results):
    """Computed by hand for one trial."""
    counts = {name: np.array(values) for name, values in results[0].class_counts.items()}
    row = store.frame().set_index("trial_id").loc[results[0].trial_id]
    assert row["accuracy"] == pytest.approx(counts["right"].sum() / (IMAGES * CLASSES))
    assert row["top5_accuracy"] == pytest.approx(counts["top_five"].sum() / (IMAGES * CLASSES))
    assert row["balanced_accuracy"] == pytest.approx(row["accuracy"]), "all classes are tested on as many images"
    few = np.array(results[0].train_counts) < 20
    assert row["few_accuracy"] == pytest.approx((counts["right"][few] / IMAGES).mean())
    assert not row["collapsed"] and np.isnan(row["class_ece"])
    classes = store.per_class()
    assert len(classes) == 4 * CLASSES and classes["class"].tolist() == 4 * list(range(CLASSES))
    mine = classes[classes["trial_id"] == results[0].trial_id]
    assert mine["recall"].to_numpy() == pytest.approx(counts["right"] / IMAGES)
    assert mine["train_count"].tolist() == results[0].train_counts


def test_records_and_parquet_stay_small(store):
    """A confusion matrix alone would take 130 MB."""
    sizes = [file.stat().st_size for file in store.records.iterdir()]
    assert len(sizes) == 4 and max(sizes) < 250_000
    assert (store.path / "per_class.parquet").stat().st_size < 1_000_000


def test_tables_and_leaderboard_show_top_five(call, store):
    run = str(store.path)
    for arguments in (["table", "catalogue", "--metric", "top5_error", "--run", run],
                      ["leaderboard", "--columns", "error,top5_error", "--run", run]):  # fmt: skip
        code, out, err = call(*arguments)
        means = 100 * (1 - store.frame().groupby("label")["top5_accuracy"].mean())
        assert code == 0 and all(f"{mean:.2f}" in out for mean in means), (out, err)


def test_a_figure_of_pairs_is_refused_in_a_sentence(call, store, tmp_path):
    code, _, err = call("plot", "confusion", "--run", str(store.path), "--out", str(tmp_path / "confusion.svg"))
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert "confusion matrices are not available for cifar100 IF 500 (8,142 classes), because records" in err
    assert "draw the error of each class with `plot per_class`" in err and not (tmp_path / "confusion.svg").exists()


def test_beside_a_set_of_few_classes_those_of_many_are_left_out_and_named(tmp_path):
    chart = PLOTS["confusion"](synthetic.store(tmp_path / "run", [trial(), replace(many(), spec=many("focal", 3).spec)]))
    assert [panel.title for panel in chart.panels] == ["digits IF 50: softmax (n = 1)"]
    assert any(note.startswith("left out: cifar100 IF 500 (8,142 classes), because records") for note in chart.notes)


def test_neighbours_by_size_share_a_point_and_a_row_and_both_say_so(store, results):
    """Each point is the mean error of 41 of the 8,142 classes, and the last one of the remaining 24."""
    chart, table = PLOTS["per_class"](store), TABLES["per_class"](store.frame(), None, store.per_class()).full
    line = chart.panels[0].series[0]
    recall = np.mean([r.outcome().recall for r in results if r.spec.method.label == "softmax"], axis=0)
    error = 100 * (1 - recall)
    assert len(line.x) == len(table.rows) == 199 and line.x[:2] == (20, 61)
    assert line.y[0] == pytest.approx(error[:41].mean()) and line.y[-1] == pytest.approx(error[41 * 198 :].mean())
    assert line.words[0] == "41 classes of 969–1000 training images" and line.words[-1].startswith("24 classes of 2 ")
    assert any("each point is the mean over 41 classes of similar size, out of 8,142" in note for note in chart.notes)
    assert [row.label for row in table.rows][:2] == ["1–41 (head)", "42–82"] and table.rows[-1].label == "8119–8142 (tail)"
    assert table.rows[0].cells[0].text == "969–1000" and table.rows[0].cells[1].mean == pytest.approx(error[:41].mean())
    assert any("each row is the mean over 41 classes" in note for note in table.notes)
    # Regions end where their classes end, not at the end of a stretch.
    few = next(region for region in chart.panels[0].regions if region.name == "few")
    assert few.low == sum(count >= 20 for count in results[0].train_counts) - 0.5 and few.high == CLASSES - 0.5


def test_readers_are_shown_groups_of_classes_and_programs_every_row(call, store, results):
    table = TABLES["per_class"](store.frame(), None, store.per_class())
    sizes, recall = np.array(results[0].train_counts), np.mean([r.outcome().recall for r in results[:2]], axis=0)
    shots = {"all": sizes > 0, "many-shot": sizes > 100, "medium-shot": (sizes >= 20) & (sizes <= 100), "few-shot": sizes < 20}
    for (label, classes), row in zip(shots.items(), table.rows, strict=False):
        assert (row.label, row.cells[0].text) == (label, f"{sizes[classes].min()}–{sizes[classes].max()}")
        assert row.cells[1].mean == pytest.approx(100 * (1 - recall[classes].mean())) and row.cells[1].n == 2
    assert [row.label for row in table.rows[4:]][::9] == ["1–815 (head)", "7336–8142 (tail)"]
    assert any(note.startswith("each numbered row is the mean over 815 classes of similar size") for note in table.notes)
    command = ("table", "per_class", "--run", str(store.path), "--format")
    lines = [len(call(*command, *more)[1].splitlines()) for more in (["md"], ["md", "--full"], ["csv"], ["csv", "--full"])]
    assert lines[1] - lines[0] >= 199 - 14 - 1 and lines[2] == lines[3] == 1 + 199 * 3


def test_shots_without_classes_have_no_row():
    made = [synthetic.trial(label) for label in ("softmax", "focal")]
    table = TABLES["per_class"](frames.trials(made, "x"), None, frames.per_class(made, "x"))
    assert table.full is None and len(table.rows) == 10, "ten classes are all listed"
    few = replace(many(), train_counts=[19] * CLASSES)
    table = TABLES["per_class"](frames.trials([few], "x"), None, frames.per_class([few], "x"))
    assert [row.label for row in table.rows[:3]] == ["all", "few-shot", "1–815 (head)"]


def test_the_page_is_hardly_larger_than_that_of_ten_classes(store, tmp_path):
    """It also says why the confusion matrices are missing."""
    small = page.render(synthetic.store(tmp_path / "run", synthetic.run(["softmax", "focal"])))
    large = page.render(store)
    assert len(large) < len(small) + 200_000
    assert "8,142 classes" in large and "keep only counts per class" in large


def test_two_machines_measured_the_same_if_their_counts_are_the_same(results):
    other = {**results[0].class_counts, "right": results[1].class_counts["right"]}
    assert figures_of(results[0]) == figures_of(replace(results[0])) != figures_of(replace(results[0], class_counts=other))
    older = {name: values for name, values in results[0].class_counts.items() if name != "top_five"}
    assert figures_of(replace(results[0], class_counts=older)) == figures_of(results[0])
