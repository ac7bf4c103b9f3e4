"""The class-balanced table: a pure function of the frame, and its renderings."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from bench.records import frames
from bench.records.layout import MADE
from bench.report.plots import PLOTS
from bench.report.render import FORMATS, renderer
from bench.report.render.terminal import draw
from bench.report.tables import TABLES, Cell, Column, Row, Table, compare
from bench.report.tables.layout import names_without_common
from bench.report.tables.mm import row_kind
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.methods import METHODS, resolve
from lt_core.recipes import RECIPES
from lt_core.spec import DataSpec, TrialSpec
from tests.bench import synthetic


def row(label: str, seed: int, accuracy: float, validation: float = np.nan, **changes):
    name = label.split("[")[0]
    params = {"loss": {"cb_sigmoid": "sigmoid", "cb_focal": "focal"}.get(name, "softmax")}
    for item in label.partition("[")[2].rstrip("]").split(","):
        if item.partition("=")[2].replace(".", "").isdecimal():
            params[item.split("=")[0]] = float(item.split("=")[1])
    values = {
        "trial_id": f"{label}-{seed}-{changes}", "dataset": "digits", "imbalance_type": "exp", "imbalance_factor": 50.0,
        "method": name, "label": label, "params": json.dumps(params), "seed": seed, "status": "ok", "accuracy": accuracy,
        "validation_balanced_accuracy": validation, "recipe": "digits", "model": "small_cnn", "epochs": 40, "n_max": 100,
        "counts": "", "validation": 20, "protocol": 1, "class_order_seed": np.nan, "device_name": "a CPU", "threads": 1,
        "precision": "float32", "searched": False, "label_fraction": 1.0, "unlabelled_ratio": 0.0,
        "unlabelled_imbalance_factor": 50.0, "unlabelled_order": "same",
        "unlabelled_labelled": False, "subset_seed": 0, "collapsed": False,
        **dict.fromkeys(MADE, np.nan),
    }  # fmt: skip
    return {**values, **changes}


def table(*rows):
    return TABLES["cb"](pd.DataFrame(list(rows)))


def made_up(results):
    """The frames of trials and of their classes."""
    return frames.trials(results, "made_up"), frames.per_class(results, "made_up")


def cells(built):
    return {r.label: r.cells for r in built.rows}


def test_error_in_percent_with_the_sample_standard_deviation():
    built = table(row("softmax", 0, 0.80), row("softmax", 1, 0.90))
    (cell,) = cells(built)["Softmax"]
    assert cell.mean == pytest.approx(15.0)
    assert cell.std == pytest.approx(100 * np.std([0.1, 0.2], ddof=1))
    assert cell.n == 2
    assert "15.00 ± 7.07" in FORMATS["terminal"][0](built)
    assert "n = 2" in FORMATS["terminal"][0](built)


def test_one_seed_has_no_spread_and_says_so():
    text = FORMATS["terminal"][0](table(row("softmax", 0, 0.8)))
    assert "(n = 1), so no standard deviation and no test" in text
    assert "nan" not in text
    assert "20.00 ±" not in text


def test_class_balanced_is_picked_on_validation_though_another_tests_better():
    built = table(
        row("cb_focal[gamma=2,cb_beta=0.999]", 0, 0.70, validation=0.9),
        row("cb_softmax[cb_beta=0.9]", 0, 0.95, validation=0.8),
    )
    assert cells(built)["Class-Balanced"][0].mean == pytest.approx(30.0)
    assert [cells(built)[k][0].text for k in ("Loss", "β", "γ")] == ["focal", "0.999", "2"]


def test_a_pick_needs_a_validation_split():
    built = table(row("cb_softmax[cb_beta=0.9]", 0, 0.9, validation=np.nan))
    assert cells(built)["Class-Balanced"][0].text == "no validation split"


def test_a_cell_that_lost_a_seed_is_not_picked_over_whole_ones():
    built = table(
        row("cb_softmax[cb_beta=0.9]", 0, 0.99, validation=0.99),
        row("cb_softmax[cb_beta=0.9]", 1, np.nan, status="diverged"),
        row("cb_softmax[cb_beta=0.99]", 0, 0.8, validation=0.8),
        row("cb_softmax[cb_beta=0.99]", 1, 0.8, validation=0.8),
    )
    assert cells(built)["β"][0].text == "0.99"


def test_a_failed_seed_is_counted_and_never_averaged():
    built = table(row("softmax", 0, 0.8), row("softmax", 1, 0.8), row("softmax", 2, np.nan, status="diverged"))
    (cell,) = cells(built)["Softmax"]
    assert (cell.mean, cell.n, cell.failed) == (pytest.approx(20.0), 2, 1)
    assert "(1 failed)" in FORMATS["md"][0](built)


def test_best_and_second_are_marked_in_each_measured_column():
    built = table(row("softmax", 0, 0.7), row("sigmoid", 0, 0.9), row("focal", 0, 0.8), row("focal[gamma=2]", 0, 0.6))
    assert [c[0].rank for c in cells(built).values()] == [0, 1, 2, 0]
    assert "**10.00**" in FORMATS["md"][0](built)
    assert "<u>20.00</u>" in FORMATS["md"][0](built)
    assert r"\textbf{10.00}" in FORMATS["latex"][0](built)
    assert r"\underline{20.00}" in FORMATS["latex"][0](built)


def test_factors_from_the_largest_down_and_rows_in_the_papers_order():
    built = table(
        *(
            row(label, 0, 0.8, imbalance_factor=f)
            for label in ("over_sampling", "sigmoid", "softmax")
            for f in (10.0, 100.0, 50.0)
        )
    )
    assert [c.name for c in built.columns] == ["100", "50", "10"]
    assert [r.label for r in built.rows] == ["Softmax", "Sigmoid", "over_sampling"]


def test_published_figures_stand_beside_measured_ones():
    cifar = {"dataset": "cifar10", "imbalance_factor": 100.0, "model": "resnet32", "recipe": "cifar_cb", "n_max": 5000}
    built = table(row("softmax", 0, 0.71, **cifar), row("cb_focal[gamma=1,cb_beta=0.9999]", 0, 0.74, validation=0.7, **cifar))
    assert [(c.name, c.published) for c in built.columns] == [("100", False), ("paper", True)]
    assert cells(built)["Softmax"][1].mean == 29.64  # Cui et al. 2019, table 2
    assert cells(built)["Class-Balanced"][1].mean == 25.43
    assert cells(built)["Loss"][1].text == "focal"
    # A figure of the paper is not ranked.
    assert all(r.cells[1].rank == 0 for r in built.rows)
    # What the paper prints as an error rate stands beside accuracies as an accuracy, and beside other metrics not at all.
    frame = pd.DataFrame([row("softmax", 0, 0.71, **cifar)])
    assert cells(TABLES["cb"](frame, "accuracy", None))["Softmax"][1].mean == 70.36
    assert [c.published for c in TABLES["cb"](frame.assign(macro_f1=0.7), "macro_f1", None).columns] == [False]


def test_no_published_column_where_the_paper_has_none():
    assert not any(c.published for c in table(row("softmax", 0, 0.7)).columns)
    step = row("softmax", 0, 0.7, dataset="cifar10", imbalance_type="step", imbalance_factor=100.0)
    assert not any(c.published for c in table(step).columns)


def test_two_budgets_never_share_a_table():
    built = table(row("softmax", 0, 0.8), row("softmax", 1, 0.8), row("softmax", 0, 0.1, epochs=2))
    assert cells(built)["Softmax"][0].mean == pytest.approx(20.0)
    assert "digits: 1 trial with a different budget left out (epochs 2 instead of epochs 40)" in built.notes


def test_columns_may_be_drawn_in_different_ways_but_one_column_may_not():
    natural = {"imbalance_type": "natural", "imbalance_factor": 1.1, "n_max": 0, "validation": 5}
    built = table(row("softmax", 0, 0.8), {**row("softmax", 0, 0.7), **natural})
    assert [cell.mean for cell in cells(built)["Softmax"]] == pytest.approx([20.0, 30.0])
    assert not any("left out" in note for note in built.notes)
    assert any("5 or 20 images per class held out" in note for note in built.notes)
    for change, words in (
        ({"n_max": 50}, "n_max 50 instead of n_max 100"),
        ({"validation": 0}, "validation 0 instead of validation 20"),
        ({"class_order_seed": 3.0}, "class_order_seed 3 instead of class_order_seed none"),
    ):
        built = table(row("softmax", 0, 0.8), row("softmax", 1, 0.8), {**row("softmax", 0, 0.1), **change})
        assert cells(built)["Softmax"][0].mean == pytest.approx(20.0)
        assert f"digits: 1 trial on other data left out ({words})" in built.notes


def test_the_machines_are_named_and_a_mixture_shows():
    one, two = row("softmax", 0, 0.8), row("softmax", 1, 0.8, threads=2)
    assert "digits: measured on a CPU, 1 thread, float32" in table(one).notes
    assert "digits: measured on a CPU, 1 thread, float32 and on a CPU, 2 threads, float32" in table(one, two).notes


def test_an_empty_run():
    with pytest.raises(UserError, match="has no trials yet"):
        TABLES["cb"](pd.DataFrame([row("softmax", 0, 0.8)]).iloc[:0])


def test_csv_and_json_hold_full_figures():
    built = table(row("softmax", 0, 0.8123456), row("softmax", 1, 0.9))
    (line,) = csv.DictReader(io.StringIO(FORMATS["csv"][0](built)))
    assert float(line["mean"]) == pytest.approx(100 - 100 * (0.8123456 + 0.9) / 2, abs=1e-9)
    assert line["n"] == "2"
    cell = json.loads(FORMATS["json"][0](built))["cells"][0]
    assert cell["mean"] == float(line["mean"])


def test_a_terminal_too_narrow_for_a_table_shows_its_columns_below_one_another():
    columns = tuple(Column(f"digits IF {factor}", f"m[scale={i}]", plain=True) for factor in (100, 10) for i in range(4))
    table = Table("t", "title", "Class", columns, (Row("1 (head)", tuple(Cell(float(i), 1.0, 3) for i in range(8))),))
    wide, narrow = draw(table, styled=False), draw(table, styled=False, width=80)
    assert max(map(len, wide.splitlines())) > 80 >= max(map(len, narrow.splitlines()))
    for text in (wide, narrow):
        assert [text.count(f"m[scale={i}]") for i in range(4)] == [2, 2, 2, 2], "brackets are no markup"
        assert all(f"{i}.00 ± 1.00" in text for i in range(8))
    assert narrow.count("1 (head)") == 2 and wide.count("1 (head)") == 1


def test_a_table_of_classes_has_every_method_and_the_names_of_the_paper_if_all_are_its():
    paper = [synthetic.trial(label) for label in ("softmax", "cb_softmax", "ldam_drw")]
    for trials, names in (
        (paper, ["ERM", "ERM re-weighting", "LDAM DRW"]),
        ([*paper, synthetic.trial("focal")], ["softmax", "cb_softmax", "focal", "ldam_drw"]),
    ):
        frame, classes = made_up(trials)
        made = TABLES["per_class"](frame, classes=classes)
        assert [column.name for column in made.columns] == ["images", *names]


def test_latex_escapes_and_balances():
    text = FORMATS["latex"][0](table(row("over_sampling", 0, 0.8), row("focal[gamma=0.5]", 0, 0.8)))
    assert r"over\_sampling" in text
    assert r"$\gamma$" in text
    assert text.count("{") == text.count("}")
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert all(line.count("&") == 1 for line in body.splitlines() if "&" in line)


def test_any_figure_and_its_direction():
    rows = [row("softmax", 0, 0.7, ece=0.3, few_accuracy=0.2), row("sigmoid", 0, 0.9, ece=0.1, few_accuracy=0.5)]
    few = TABLES["catalogue"](pd.DataFrame(rows), "few")
    assert [(r.label, r.cells[0].mean, r.cells[0].rank) for r in few.rows] == [("sigmoid", 50.0, 1), ("softmax", 20.0, 2)]
    ece = TABLES["cb"](pd.DataFrame(rows), "ece")
    assert [c[0].rank for c in cells(ece).values()] == [2, 1]
    with pytest.raises(UserError, match="unknown metric 'erorr': did you mean 'error'"):
        TABLES["catalogue"](pd.DataFrame(rows), "erorr")


def test_the_catalogue_is_sorted_and_a_row_with_a_hole_comes_last():
    rows = [row(label, 0, a, imbalance_factor=f) for label, a in (("a", 0.8), ("b", 0.9)) for f in (10.0, 50.0)]
    rows.append(row("c", 0, 0.99))
    built = TABLES["catalogue"](pd.DataFrame(rows))
    assert [r.label for r in built.rows] == ["b", "a", "c"]


def mm_row(label, accuracy=0.8, **changes):
    base = {"loss": "softmax", "weights": "none", "sampling": "instance", "schedule": "always", "posthoc": "none"}
    return row(label, 0, accuracy, params=json.dumps({**base, **changes}))


def test_mm_rows_follow_from_the_parts_in_the_papers_order():
    rows = [
        mm_row("mm_drw", loss="mm", weights="effective_number", schedule="deferred"),
        mm_row("ldam[scale=20]", loss="ldam"),
        mm_row("softmax[sampling=class_balanced]", sampling="class_balanced"),
        mm_row("cb_softmax", weights="effective_number"),
        mm_row("softmax"),
        mm_row("mm_ldam_drw", loss="mm", mixed=True, weights="effective_number", schedule="deferred"),
        mm_row("threshold_moving", posthoc="prior_division"),
        mm_row("os_cs", sampling="class_balanced", weights="inverse"),
        mm_row("large_margin_softmax", head="large_margin"),
        *(mm_row(f"other {group}", **{group: "other"}) for group in ("step", "stages", "regularizer", "synthesis", "augment")),
    ]
    assert [r.label for r in TABLES["mm"](pd.DataFrame(rows)).rows] == [
        "ERM", "ERM re-weighting", "ERM re-sampling", "LDAM [scale=20]", "MM DRW", "MM + LDAM DRW"
    ]  # fmt: skip


TWO_STAGES = [
    f"crt[stage_one=fixmatch[unsup_ratio={ratio},strong_views=2]{more}]" for ratio, more in ((5, ""), (7, ",retrain=1"))
]


@pytest.mark.parametrize(
    ("labels", "names", "common"),
    [
        # The parameters in the inner brackets belong to the first stage, so the two rows do not share them.
        (TWO_STAGES, ["crt [stage_one=fixmatch[unsup_ratio=5,strong_views=2]]",
                      "crt [stage_one=fixmatch[unsup_ratio=7,strong_views=2],retrain=1]"], []),
        ([f"{TWO_STAGES[0][:-1]},retrain=1]", f"{TWO_STAGES[0][:-1]},retrain=2]", "softmax"],
         ["crt [retrain=1]", "crt [retrain=2]", "Plain"], ["stage_one=fixmatch[unsup_ratio=5,strong_views=2]"]),
    ],
)  # fmt: skip
def test_names_of_rows_leave_out_what_is_common_to_all_and_take_a_first_stage_as_one_value(labels, names, common):
    assert names_without_common(labels, {"softmax": "Plain"}) == (dict(zip(labels, names, strict=True)), common)


def test_every_row_of_the_mm_table_is_one_shipped_method():
    """No other method, such as mixup, is taken for plain cross-entropy because its loss and its sampling are the same."""
    kinds = {method: row_kind(method, dict(resolve(method).params)) for method in METHODS}
    names = [kind.name for kind in kinds.values() if kind]
    assert len(names) == len(set(names)) > 10
    assert kinds["softmax"].name == "ERM" and kinds["mm_ldam_drw"].name == "MM + LDAM DRW" and kinds["ce_drs"].name == "ERM DRS"


def crest_row(label: str, fold: int, accuracy: float, **changes):
    data = {"dataset": "cifar10", "imbalance_factor": 100.0, "label_fraction": 0.1, "unlabelled_labelled": True, "n_max": 5000}
    return row(label, fold, accuracy, **{**data, **changes})


def test_crests_table_has_the_papers_rows_and_figures_by_share_of_labels():
    rows = [
        crest_row("crest_plus", 0, 0.78),
        crest_row("fixmatch", 0, 0.66),
        crest_row("fixmatch", 1, 0.68),
        crest_row("crest", 0, 0.76),
    ]
    rows += [crest_row("fixmatch", 0, 0.73, label_fraction=0.3), row("softmax", 0, 0.9, dataset="cifar10")]
    built = TABLES["crest"](pd.DataFrame(rows))
    assert [(c.group, c.name) for c in built.columns] == [
        ("cifar10, β = 10 %", "100"), ("cifar10, β = 10 %", "paper"),
        ("cifar10, β = 30 %", "100"), ("cifar10, β = 30 %", "paper"),
    ]  # fmt: skip
    assert [r.label for r in built.rows] == ["FixMatch", "w/ CReST", "w/ CReST+"]
    fixmatch = cells(built)["FixMatch"]
    assert (fixmatch[0].mean, fixmatch[0].n) == (pytest.approx(67.0), 2)
    assert [c.mean for c in fixmatch[1:]] == [66.3, pytest.approx(73.0), 73.1]
    assert [cells(built)[k][1].mean for k in ("w/ CReST", "w/ CReST+")] == [75.9, 78.1]
    errors = TABLES["crest"](pd.DataFrame(rows), "error")
    assert cells(errors)["FixMatch"][1].mean == pytest.approx(100 - 66.3)
    changed = TABLES["crest"](pd.DataFrame([crest_row("fixmatch", 0, 0.66), crest_row("crest[alpha=0.5]", 0, 0.7)]))
    assert [row[1].mean for row in cells(changed).values()] == [66.3, None], "the paper's figure is not that of another α"


def test_columns_of_factors_that_differ_little_have_different_names():
    rows = [row("softmax", 0, 0.9, imbalance_factor=factor) for factor in (100.0, 100.2, 100 / 3)]
    assert [column.name for column in TABLES["catalogue"](pd.DataFrame(rows)).columns] == ["100.2", "100", "33.3"]


def test_a_fully_labelled_figure_never_stands_beside_one_with_few_labels():
    few = row("crest", 0, 0.7, label_fraction=0.1)
    built = TABLES["catalogue"](pd.DataFrame([row("softmax", 0, 0.9), row("softmax", 1, 0.9), few]))
    assert [r.label for r in built.rows] == ["softmax"]
    assert "digits: 1 trial on other data left out (label_fraction 0.1 instead of label_fraction 1)" in built.notes


def joint_row(label: str, seed: int, f1: float, factor: float = 25.0, dataset: str = "digits_9v5", n_max: int = 100, **changes):
    spec = TrialSpec(
        build(DataSpec, {"dataset": dataset, "imbalance_factor": factor, "n_max": n_max}),
        resolve(label),
        RECIPES["digits"],
        seed,
    )
    known = {"dataset": dataset, "imbalance_factor": factor, "minority_f1": f1, "spec": json.dumps(spec.to_dict())}
    return row(label, seed, 0.9, params=json.dumps(dict(spec.method.params)), **(known | changes))


def test_joint_rows_stand_in_the_papers_order_by_images_of_the_minority():
    rows = [
        joint_row("joint_aug[gan_width=16,gan_length=2]", 0, 0.9),
        joint_row("joint_alt[gan_width=16]", 0, 0.7),
        joint_row("cb_softmax[cb_beta=0.99]", 0, 0.6),
        joint_row("cb_softmax", 0, 0.65),
        joint_row("cb_softmax[cb_beta=0.9,mean=weights]", 0, 0.5),
        joint_row("cb_softmax[weights=inverse]", 0, 0.5),
        joint_row("softmax", 0, 0.4),
        joint_row("softmax", 1, 0.5),
        joint_row("ldam", 0, 0.55),
        joint_row("softmax", 0, 0.1, factor=50.0),
    ]
    built = TABLES["joint"](pd.DataFrame(rows))
    ours = [c for c in built.columns if not c.published]
    assert [(c.group, c.heading) for c in ours] == [
        ("digits_9v5, 100 in the largest", "2 (IF 50)"), ("digits_9v5, 100 in the largest", "4 (IF 25)"),
    ]  # fmt: skip
    found = cells(built)
    measured = [label for label, made in found.items() if any(c.mean is not None for c in made[:2])]
    assert measured == [
        "Vanilla", "CB (β = 0.99)", "CB (β = 0.9999)", "Joint, ALT", "Joint, AUG [gan_length=2]",
        "cb_softmax[cb_beta=0.9,mean=weights]", "cb_softmax[weights=inverse]", "ldam",
    ]  # fmt: skip
    assert (found["Vanilla"][1].mean, found["Vanilla"][1].n) == (pytest.approx(45.0), 2)
    assert "columns: number of images in the smallest class; all joint rows: gan_width=16" in built.notes


def test_the_papers_figures_stand_beside_as_they_are_printed_and_for_f1_alone():
    built = TABLES["joint"](pd.DataFrame([joint_row("softmax", 0, 0.4)]))
    paper = [i for i, c in enumerate(built.columns) if c.published]
    assert [built.columns[i].name for i in paper] == ["50", "100", "200", "300", "400", "500"]
    assert {built.columns[i].group for i in paper} == {"CelebA, paper"}
    found = cells(built)
    assert [found["Vanilla"][i].mean for i in paper] == pytest.approx([15.0, 52.2, 77.4, 84.6, 90.2, 91.6])
    assert [found["Joint, AUG"][paper[0]].mean, found["Joint, ALT"][paper[0]].mean] == pytest.approx([80.6, 82.4])
    assert found["TS"][0].mean is None and found["TS"][paper[0]].mean == pytest.approx(15.6)
    assert not any(
        c.published for c in TABLES["joint"](pd.DataFrame([joint_row("softmax", 0, 0.4, balanced_accuracy=0.5)]), "acsa").columns
    )


@pytest.mark.parametrize(
    ("dataset", "n_max", "factors", "printed"),
    [
        ("horse2zebra_128px", 1050, (42, 10.5), {"Vanilla": (5.0, 76.8), "TS": (3.4, 79.4), "Joint, AUG": (85.0, 85.2)}),
        ("celeba_male_64px", 1200, (24, 2.4), {"Vanilla": (15.0, 91.6), "TS": (15.6, 92.0), "Joint, ALT": (82.4, 89.2)}),
        ("cub_families_128px_53v16", 600, (50, 4.8), {"Joint, ALT": (51.2, 59.6), "Joint, AUG": (59.4, 71.8)}),
    ],
)  # fmt: skip
def test_figures_of_the_papers_own_sets_stand_beside_those_with_as_many_images(dataset, n_max, factors, printed):
    rows = [joint_row("softmax", 0, 0.4, factor, dataset, n_max) for factor in (*factors, 7.0)]
    built = TABLES["joint"](pd.DataFrame(rows))
    smallest = [round(n_max / factor) for factor in factors]  # the paper has no figures for a seventh
    first, last = (f"{n} (IF {factor:.3g})" for n, factor in zip(smallest, factors, strict=True))
    between = [f"{n_max // 7} (IF 7)"]
    headings = [column.heading for column in built.columns]
    assert headings == [first, "paper", *(between if factors[1] < 7 else []), last, "paper", *(between if factors[1] > 7 else [])]
    assert {column.group for column in built.columns} == {f"{dataset}, {n_max:,} in the largest"}
    found = cells(built)
    for label, values in printed.items():
        assert tuple(found[label][i].mean for i, column in enumerate(built.columns) if column.published) == pytest.approx(values)
    assert found["TS"][0].mean is None and found["Vanilla"][0].mean == pytest.approx(40.0)
    (note,) = [note for note in built.notes if note.startswith("paper: ")]
    name = {"horse2zebra": "Horse2Zebra", "celeba": "CelebA", "cub": "CUB-200-2011"}[dataset.split("_")[0]]
    assert f"on {name} with as many images of the smallest class" in note and "not in the text that we have" in note


def test_scores_of_made_images_stand_beside_the_figures_of_their_trials():
    spec = TrialSpec(build(DataSpec, {"dataset": "mnist_4v9", "imbalance_factor": 50}), resolve("softmax"), RECIPES["digits"])
    common = {"dataset": "mnist_4v9", "imbalance_factor": 50.0, "spec": json.dumps(spec.to_dict()), "minority_f1": 0.5}
    made = {"inception_accuracy": 0.25, "judge_accuracy": 0.98, "kid": 0.125, "near_copies": 0.0}
    rows = [row("softmax", seed, 0.5, **common) for seed in (0, 1)]
    rows += [row("joint_aug", seed, 0.5, **common, **{**made, "kid": 0.125 * (1 + 2 * seed)}) for seed in (0, 1)]
    better = {**made, "inception_accuracy": 0.5, "kid": 0.0625, "near_copies": 0.25}
    rows += [row("joint_alt", seed, 0.5, **common, **better) for seed in (0, 1)]
    built = TABLES["joint"](pd.DataFrame(rows))
    headings = [column.heading for column in built.columns]
    place = headings.index("KID")
    assert headings[place - 1 : place + 2] == ["taken for it %", "KID", "near-copies %"]
    aug = cells(built)["Joint, AUG"]
    assert (aug[place - 1].mean, aug[place].mean, aug[place].n, aug[place + 1].mean) == (25.0, 0.25, 2, 0.0)
    assert cells(built)["Vanilla"][place].mean is None
    alt = cells(built)["Joint, ALT"]
    ranks = [[found[place + i].rank for i in (-1, 0, 1)] for found in (alt, aug)]
    assert ranks == [[1, 1, 2], [2, 2, 1]], "a small distance and few copies are better"
    assert any("it is right on 98.0 % of real test images" in note for note in built.notes)
    assert "KID" not in [column.heading for column in TABLES["joint"](pd.DataFrame(rows[:2])).columns]


def test_parameters_that_only_some_joint_rows_have_are_named_in_the_row():
    built = TABLES["joint"](pd.DataFrame([joint_row("joint_aug", 0, 0.5), joint_row("joint_aug[gan_length=2]", 0, 0.9)]))
    found = cells(built)
    assert found["Joint, AUG"][0].mean == pytest.approx(50.0) and found["Joint, AUG [gan_length=2]"][0].mean == pytest.approx(
        90.0
    )
    assert "columns: number of images in the smallest class" in built.notes


def test_trials_without_the_baseline_beside_them_are_counted_and_take_no_ranks(tmp_path):
    both, alone = synthetic.run(["softmax", "focal"], (10, 50)), synthetic.run(["focal", "inverse"], (100,))
    table = compare.build(synthetic.store(tmp_path, both + alone).frame())
    assert "4 trials not compared, because softmax has no trial on the same data with the same budget" in table.notes
    assert [(row.label, row.cells[0].text, row.cells[7].text) for row in table.rows] == [("focal", "4", "1.00")]
    assert any(note.startswith("rank: mean over 2 data columns, 1 is best; softmax 2.00") for note in table.notes)
    assert not any("not compared" in note for note in compare.build(synthetic.store(tmp_path / "all", both).frame()).notes)


def test_a_baseline_without_figures_in_some_column_has_no_rank_while_others_do(tmp_path):
    ran = synthetic.run(["focal", "inverse", "softmax"], (10,)) + synthetic.run(["focal", "inverse"], (50,))
    lost = [synthetic.trial("softmax", seed, factor=50, status="oom", cause="memory") for seed in (0, 1)]
    table = compare.build(synthetic.store(tmp_path, ran + lost).frame())
    assert any(note.endswith("softmax has none, because it has no finished trial in some of them") for note in table.notes)
    assert [row.cells[7].text for row in table.rows] == ["1.00", "2.00"]


def test_the_mm_table_shows_the_paper_in_the_metric_that_it_shows():
    cifar = {"dataset": "cifar10", "imbalance_factor": 100.0, "model": "resnet32", "recipe": "cifar_ldam", "n_max": 5000}
    frame = pd.DataFrame([{**mm_row("softmax", 0.71), **cifar}])
    found = [cells(TABLES["mm"](frame, metric, None))["ERM"][1].mean for metric in ("error", "accuracy")]
    assert found == [29.64, 70.36]
    assert [column.published for column in TABLES["mm"](frame.assign(macro_f1=0.7), "macro_f1", None).columns] == [False]


def test_what_mixes_devices_or_precisions_says_so(tmp_path):
    """A table, a comparison and a chart. With a single kind of device, the chart need not say anything."""
    one = synthetic.run(["softmax", "focal"], (10, 50))
    other = synthetic.run(["inverse"], (10, 50), environment={"precision": "bfloat16"})
    mixed, alike = synthetic.store(tmp_path / "mixed", one + other), synthetic.store(tmp_path / "alike", one)
    kinds = "measured on a CPU, 1 thread, bfloat16 and on a CPU, 1 thread, float32"
    assert f"digits: {kinds}" in TABLES["catalogue"](mixed.frame()).notes
    notes = compare.build(mixed.frame()).notes
    assert kinds in notes
    assert any(
        note.startswith("for 4 of 4 combinations of images and seed, the methods were measured on different kinds")
        for note in notes
    )
    assert compare.build(alike.frame()).notes[-1] == "measured on a CPU, 1 thread, float32"
    assert kinds in PLOTS["factors"](mixed).notes and not any("measured" in note for note in PLOTS["factors"](alike).notes)


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("terminal", "−1.93 … −0.51"),
        ("md", "−1.93 … −0.51"),
        ("csv", "-1.93 … -0.51"),
        ("json", "-1.93 … -0.51"),
        ("latex", "-1.93 \\dots{} -0.51"),
    ],
)
def test_people_see_a_minus_and_programs_a_hyphen(format, shown):
    made = Table("t", "t", "Method", (Column("", "interval", plain=True),), (Row("a-1", (Cell(text="-1.93 … -0.51"),)),))
    assert shown in renderer(format)(made) and "a-1" in renderer(format)(made)


def test_a_head_that_a_method_does_not_declare_is_named():
    names = {"softmax": "ERM", "softmax[head=cosine]": "ERM [head=cosine]", "ldam[head=linear]": "LDAM [head=linear]"}
    for label, name in names.items():
        assert row_kind(label, resolve(label).params).name == name


def test_a_class_balanced_loss_with_another_change_is_not_a_candidate():
    changed, params = "cb_softmax[posthoc=logit_adjustment]", json.dumps({"loss": "softmax", "cb_beta": 0.999})
    figures = {"cb_softmax": 0.5, changed: 0.9}
    shown = cells(table(*(row(label, seed, v, v, params=params) for label, v in figures.items() for seed in range(2))))
    assert shown["Class-Balanced"][0].mean == pytest.approx(50) and shown[changed][0].mean == pytest.approx(10)


def test_two_values_of_beta_that_are_nearly_one_are_two_rows():
    labels = ("cb_softmax[cb_beta=0.9999999]", "cb_softmax[cb_beta=0.99999999]")
    frame, classes = made_up([synthetic.trial(label) for label in labels])
    names = [line.label for line in TABLES["joint"](frame, None, classes).rows]
    assert {"CB (β = 0.9999999)", "CB (β = 0.99999999)"} <= set(names)
