"""Figures and the table by class, from hand-made records."""

from __future__ import annotations

import base64
import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from bench.records.store import Store
from bench.report.charts.paper import draw
from bench.report.charts.web import figures
from bench.report.plots import PLOTS, write
from bench.report.tables import TABLES
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.methods import resolve
from lt_core.recipes import RECIPES
from lt_core.result import TrialResult
from lt_core.spec import DataSpec, TrialSpec
from tests.bench import synthetic

COUNTS = [20, 90, 40]  # in label order: class 1 is the head


def record(label, seed, recalls, *, generations=(), **data):
    """A finished trial on three of digits' ten classes, with the given recalls in %, in label order."""
    spec = TrialSpec(
        build(DataSpec, {"dataset": "digits", "imbalance_factor": 10, **data}), resolve(label), RECIPES["digits"], seed
    )
    confusion = [[0] * 3 for _ in range(3)]
    for c, recall in enumerate(recalls):
        confusion[c][c] += recall
        confusion[c][(c + 1) % 3] += 100 - recall
    point = dict.fromkeys(("train_loss", "test_accuracy", "test_balanced_accuracy"), 0.5) | {"epoch": 1}
    point |= {"validation_accuracy": math.nan, "validation_balanced_accuracy": math.nan}
    bins = [[total, *[0.0] * 14] for total in (300.0, 200.0, 250.0)]
    return TrialResult(
        spec, train_counts=COUNTS, confusion=confusion, calibration=bins, curve=[point],
        generations=list(generations),
        seconds={"setup": 1.0, "train": 2.0, "evaluate": 1.0}, images_per_second=1.0,
        environment={"device_name": "a CPU", "threads": 1, "precision": "float32"},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    def made(*results):
        store = Store.create(tmp_path / "run")
        with store.lock():
            for result in results:
                store.write(result)
        return Store(tmp_path / "run")

    return made


CB = "softmax[weights=effective_number,mean=weights]"


def test_errors_of_classes_stand_from_head_to_tail_beside_each_other(store):
    kept = store(
        record("softmax", 0, [10, 90, 50]), record("softmax", 1, [30, 94, 50]), record("ldam_drw", 0, [60, 80, 70]),
        record(CB, 0, [50, 85, 60]), record("hinge", 0, [1, 1, 1]),
    )  # fmt: skip
    built = TABLES["per_class"](kept.frame(), None, kept.per_class())
    assert [c.heading for c in built.columns] == ["images", "softmax", "hinge", "ldam_drw", CB]
    assert [r.label for r in built.rows] == ["1 (head)", "2", "3 (tail)"]
    assert [r.cells[0].text for r in built.rows] == ["90", "40", "20"]
    erm = [r.cells[1] for r in built.rows]
    assert [c.mean for c in erm] == pytest.approx([8.0, 50.0, 80.0])
    assert (erm[0].n, erm[0].std) == (2, pytest.approx(math.sqrt(8)))
    assert [r.cells[3].mean for r in built.rows] == pytest.approx([20.0, 30.0, 40.0])


def test_a_run_without_the_papers_methods_shows_all_of_its_own(store):
    kept = store(record("hinge", 0, [1, 2, 3]), record("focal", 0, [4, 5, 6]))
    built = TABLES["per_class"](kept.frame(), None, kept.per_class())
    assert [c.heading for c in built.columns] == ["images", "focal", "hinge"]


def test_the_figure_by_class_names_methods_sizes_and_n(store, tmp_path):
    kept = store(record("softmax", 0, [10, 90, 50]), record("softmax", 1, [30, 94, 50]), record("ldam_drw", 0, [60, 80, 70]))
    for name in ("a.svg", "b.svg", "c.png", "d.pdf"):
        write(PLOTS["per_class"](kept), tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    for words in ("ERM (n = 2)", "LDAM DRW (n = 1)", "error of the class on the test set (%)", ">90<", ">20<"):
        assert words in text
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes(), "the same run gives the same file"
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "d.pdf").read_bytes().startswith(b"%PDF")


def generation(number, tail):
    return {
        "round": number, "test_recall": [tail, 0.9, 0.5], "test_precision": [0.9, 0.5, 0.7], "pseudo_recall": [tail, 0.95, 0.6],
        "pseudo_precision": [0.95, 0.6, None], "taken": [3 * number, 9 * number, 0],
    }  # fmt: skip


def test_generations_are_kept_and_drawn_class_by_class(store, tmp_path):
    generations = [generation(0, 0.1), generation(1, 0.4)]
    kept = store(record("crest", 0, [40, 90, 50], generations=generations, label_fraction=0.2))
    frame = kept.generations()
    assert len(frame) == 2 * 3
    tail = frame[(frame["class"] == 0) & (frame["round"] == 1)].iloc[0]
    assert (tail["pseudo_recall"], tail["taken"], tail["train_count"]) == (0.4, 3, 20)
    assert frame["pseudo_precision"].isna().sum() == 2
    write(PLOTS["generations"](kept), tmp_path / "generations.svg")
    text = (tmp_path / "generations.svg").read_text()
    assert "generation 2" in text and "pseudo-labels:" in text


def test_generations_of_two_shapes_of_one_factor_are_not_averaged(store):
    kept = store(
        record("crest", 0, [40, 90, 50], generations=[generation(0, 0.1)], label_fraction=0.2),
        record("crest", 1, [40, 90, 50], generations=[generation(0, 0.1)], label_fraction=0.2),
        record("crest", 0, [40, 90, 50], generations=[generation(0, 0.9)], label_fraction=0.2, imbalance_type="step"),
    )
    chart = PLOTS["generations"](kept)
    assert {panel.title for panel in chart.panels} == {"crest, 2 trials"}
    assert chart.panels[0].series[0].y == pytest.approx((95, 60, 10))  # head to tail, of these two only
    assert chart.notes[0] == "digits IF 10 labels 20 %; mean and standard deviation (n − 1) over trials"
    assert "only the first of 2 data columns is drawn" in chart.notes


def test_embeddings_of_two_shapes_of_one_factor_are_two_panels(store):
    points = [[0.0, 0.0, 0], [1.0, 1.0, 1], [0.5, 0.0, 2]]
    trials = [record("softmax", 0, [40, 90, 50], imbalance_type=shape) for shape in ("exp", "step")]
    trials += [record("softmax", 1, [40, 90, 50])]  # another seed of the first label: the first embedded trial is drawn
    chart = PLOTS["tsne"](store(*(dataclasses.replace(trial, embedding=points) for trial in trials)))
    assert sorted(panel.title for panel in chart.panels) == [
        "softmax, digits IF 10, seed 0",
        "softmax, digits step IF 10, seed 0",
    ]
    assert chart.names() == {"1": "1 (90)", "2": "2 (40)", "0": "0 (20)"}, "classes have the names of the set"


@pytest.mark.parametrize(
    ("kind", "kept"), [("tsne", {"embedding": [[0.0, 0.0, 0]]}), ("translations", {"pictures": [synthetic.picture()]})]
)
def test_panels_of_two_data_columns_have_two_titles(store, kind, kept):
    trials = [record("softmax", 0, [40, 90, 50], n_max=n_max) for n_max in (50, 60)]
    chart = PLOTS[kind](store(*(dataclasses.replace(trial, **kept) for trial in trials)))
    titles = sorted(panel.title for panel in chart.panels)
    assert titles == ["softmax, digits IF 10, n_max 50, seed 0", "softmax, digits IF 10, n_max 60, seed 0"]


def test_only_takes_the_label_that_it_lists(store):
    label = "focal[gamma=0.5]"
    kept = store(record("softmax", 0, [10, 90, 50]), record(label, 0, [10, 90, 50]))
    chart = PLOTS["per_class"](kept, label)
    assert {series.name for panel in chart.panels for series in panel.series} == {f"{label} (n = 1)"}


def test_what_cannot_be_drawn_or_written_is_told(store, tmp_path):
    kept = store(record("softmax", 0, [10, 90, 50]))
    with pytest.raises(UserError, match="no finished semi-supervised trial"):
        PLOTS["generations"](kept)
    with pytest.raises(UserError, match=r"must end in .pdf, .svg or .png"):
        write(PLOTS["per_class"](kept), tmp_path / "figure.jpg")
    with pytest.raises(UserError, match=r"--only 'x\*' matches no method of the run, which has softmax"):
        PLOTS["per_class"](kept, "x*")
    with pytest.raises(UserError, match="has no trials yet"):
        PLOTS["per_class"](Store.create(tmp_path / "empty"))
    with pytest.raises(UserError, match="shows the error of each class, not few: omit --metric"):
        TABLES["per_class"](kept.frame(), "few", kept.per_class())
    with pytest.raises(UserError, match="cannot be written"):
        write(
            PLOTS["per_class"](kept), tmp_path / "run" / "records" / next((tmp_path / "run" / "records").iterdir()).name / "a.svg"
        )


def test_pictures_are_drawn_pixel_by_pixel_with_what_they_are(store):
    shown = synthetic.picture()
    with Image.open(io.BytesIO(base64.b64decode(shown["png"]))) as png:
        sheet = np.asarray(png)
    made = dataclasses.replace(record("joint_aug", 0, [10, 90, 50]), pictures=[shown])
    kept = store(record("softmax", 0, [10, 90, 50]), made)
    chart = PLOTS["translations"](kept)
    (panel,) = chart.panels
    assert panel.picture.rows == ("2 (40)", "as 1", "1 (90)")
    assert panel.title == "joint_aug, digits IF 10, seed 0"
    (axis,) = draw(chart).axes
    assert np.array_equal(np.asarray(axis.images[0].get_array()), sheet)
    (web,) = figures(chart)
    source = web["layout"]["images"][0]["source"]
    with Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,")))) as enlarged:
        times = enlarged.width // 20
        assert times > 1 and np.array_equal(np.asarray(enlarged), sheet.repeat(times, 0).repeat(times, 1))
    assert web["layout"]["yaxis"]["ticktext"] == ["2 (40)", "as 1", "1 (90)"]
    with pytest.raises(UserError, match="no trial with kept images: run a method that generates images, with --embed"):
        PLOTS["translations"](kept, "softmax")
