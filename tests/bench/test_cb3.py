"""The class-balanced paper's third table: its rows, its two errors, and its own figures next to ours."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from bench.records.columns import data_values
from bench.records.nested import written
from bench.report.render import FORMATS
from bench.report.tables import TABLES
from bench.suites.suite import load_suite
from lt_core.errors import UserError


def row(spec, accuracy, top5, **changes):
    """The columns of a finished trial that the table uses."""
    values = {
        **data_values(spec.data), "trial_id": spec.trial_id, "label": spec.method.label, "seed": spec.seed, "status": "ok",
        "accuracy": accuracy, "top5_accuracy": top5, "recipe": spec.recipe.label, "model": spec.recipe.model,
        "epochs": spec.recipe.epochs, "protocol": spec.protocol, "spec": written(spec.to_dict()), "searched": False,
        "collapsed": False, "device_name": "a GPU", "threads": 1, "precision": "bfloat16",
    }  # fmt: skip
    return {**values, **changes}


def of_suite(name):
    """Specs by set, network and label."""
    return {(s.data.dataset.split("_")[0], s.recipe.model, s.method.name): s for s in load_suite(name).specs}


@pytest.fixture
def some():
    """Two networks on iNaturalist 2018 at 224 pixels, one at 320."""
    small, large = of_suite("cb_table3_inat"), of_suite("cb_table3_inat_320")
    return [
        row(small["inat2018", "resnet101", "softmax"], 0.61, 0.82),
        row(small["inat2018", "resnet50", "cb_focal"], 0.60, 0.80),
        row(large["inat2018", "resnet50", "cb_focal"], 0.64, 0.83),
    ]


def test_rows_and_columns_are_the_papers_with_its_figures_beside_ours(some):
    built = TABLES["cb3"](pd.DataFrame(some))
    networks = ("resnet50", "resnet101", "resnet152")
    assert [line.label for line in built.rows] == [
        *(f"{network}, Softmax, 224" for network in networks),
        *(f"{network}, CB Focal (β = 0.999, γ = 0.5), {size}" for size in (224, 320) for network in networks),
    ]
    assert [(c.group, c.heading) for c in built.columns] == [
        ("iNaturalist 2018", heading) for heading in ("top-1 error", "paper", "top-5 error", "paper")
    ]
    figures = {line.label: [cell.mean for cell in line.cells] for line in built.rows}
    assert figures["resnet101, Softmax, 224"] == pytest.approx([39.0, 39.47, 18.0, 18.86])
    assert figures["resnet50, CB Focal (β = 0.999, γ = 0.5), 224"] == pytest.approx([40.0, 38.88, 20.0, 18.97])
    assert figures["resnet50, CB Focal (β = 0.999, γ = 0.5), 320"] == pytest.approx([36.0, 35.84, 17.0, 16.85])
    assert figures["resnet152, Softmax, 224"] == [None, 38.61, None, 18.07]
    assert any("iNaturalist 2018: recipe cui_large, 90 epochs; measured on a GPU" in note for note in built.notes)
    assert "39.47" in FORMATS["md"][0](built)


def test_accuracy_stands_beside_top5_accuracy_and_another_metric_alone(some):
    built = TABLES["cb3"](pd.DataFrame(some), "accuracy")
    assert [c.heading for c in built.columns] == ["top-1 acc.", "paper", "top-5 acc.", "paper"]
    assert [cell.mean for cell in built.rows[1].cells] == pytest.approx([61.0, 60.53, 82.0, 81.14])
    alone = TABLES["cb3"](pd.DataFrame([{**one, "balanced_accuracy": 0.5} for one in some]), "acsa")
    assert [c.published for c in alone.columns] == [False] and len(alone.rows) == 3


def test_of_two_budgets_the_one_with_more_trials_stands_and_the_other_is_told(some):
    spec = of_suite("cb_table3_inat")["inat2018", "resnet101", "softmax"]
    short = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, epochs=3))
    built = TABLES["cb3"](pd.DataFrame([*some, row(short, 0.1, 0.2)]))
    assert built.rows[1].cells[0].mean == pytest.approx(39.0) and built.rows[1].cells[0].n == 1
    assert any("1 trial with a different budget left out (epochs 3 instead of epochs 90)" in note for note in built.notes)


def test_what_is_no_row_of_the_paper_is_refused_or_left_out(some):
    other = load_suite("inat2018").specs[0]  # softmax on the same set, without its recipe: stored at 256, shown as ResNet-50
    focal = next(s for s in load_suite("inat2018").specs if s.method.name == "focal_softmax")
    assert TABLES["cb3"].shows(load_suite("cb_table3_ilsvrc").specs[0]) and not TABLES["cb3"].shows(focal)
    smaller = dataclasses.replace(other, data=dataclasses.replace(other.data, dataset="inat2018_64px"))
    with pytest.raises(UserError, match=r"table cb3 shows trials of its two losses .* but the run has none"):
        TABLES["cb3"](pd.DataFrame([row(smaller, 0.5, 0.6)]))
    assert len(TABLES["cb3"](pd.DataFrame([*some, row(focal, 0.5, 0.6)])).rows) == 9


def test_rows_of_two_budgets_do_not_share_a_column(some):
    """Though they are of different networks, losses or sizes."""
    spec = of_suite("cb_table3_inat")["inat2018", "resnet152", "cb_focal"]
    other = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, lr=0.9))
    built = TABLES["cb3"](pd.DataFrame([*some, row(other, 0.1, 0.2)]))
    ours = {line.label: [cell.n for cell in line.cells if cell.n] for line in built.rows}
    assert ours["resnet101, Softmax, 224"] and not ours["resnet152, CB Focal (β = 0.999, γ = 0.5), 224"]
    assert any("1 trial with a different budget left out" in note and "lr=0.9" in note for note in built.notes)


def test_trials_of_a_search_do_not_decide_the_budget(some):
    spec = of_suite("cb_table3_inat")["inat2018", "resnet101", "softmax"]
    other = [dataclasses.replace(spec, seed=n, recipe=dataclasses.replace(spec.recipe, lr=0.9)) for n in range(5)]
    built = TABLES["cb3"](pd.DataFrame([*some, *(row(one, 0.1, 0.2, searched=True) for one in other)]))
    assert built.rows[1].cells[0].mean == pytest.approx(39.0)
    assert any(note.startswith("5 trials of a hyperparameter search left out") for note in built.notes)
