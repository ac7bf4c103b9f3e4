"""Suite files: what they expand to, and how invalid ones are rejected."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from bench.analysis.published import published
from bench.suites.group import Group, load
from bench.suites.suite import load_suite, parse_suite, suite_names
from lt_core.errors import UserError
from tests.bench.harness import ROOT, TINY


def parse(**changes):
    return parse_suite("tiny", {**TINY, **changes})


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_and_group_loads(name):
    loaded = load(name)
    assert all(suite.specs for suite in (loaded.suites if isinstance(loaded, Group) else [loaded]))


def test_reading_a_suite_imports_nothing_dear():
    """This saves seconds in every command: to check that networks can be built, torch's compiler must not be loaded."""
    code = "import sys; from bench.suites.suite import load_suite; load_suite('catalogue'); sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_whole_of_table_2():
    # 2 datasets × 6 factors × (softmax, sigmoid, 3 focal, 4 + 4 + 12 class-balanced) × 3 seeds
    assert len(load_suite("cb_table2").specs) == 2 * 6 * 25 * 3


def test_lists_are_multiplied_out():
    labels = [s.method.label for s in parse(methods=[{"cb_focal": {"cb_beta": [0.9, 0.99], "gamma": [0.5, 2]}}], seeds=1).specs]
    grid = ["cb_focal[gamma=0.5,cb_beta=0.9]", "cb_focal[gamma=2,cb_beta=0.9]", "cb_focal[gamma=0.5,cb_beta=0.99]"]
    assert labels == ([*grid, "cb_focal[gamma=2,cb_beta=0.99]"]) * 2


def test_a_glob_stands_for_the_methods_that_it_matches():
    names = {s.method.name for s in parse(methods=["cb_*"]).specs}
    assert names == {"cb_softmax", "cb_sigmoid", "cb_focal"}
    assert {s.method.params["cb_beta"] for s in parse(methods=[{"cb_*": {"cb_beta": 0.9}}]).specs} == {0.9}


def test_set_reaches_every_method_that_has_the_parameter_and_does_not_give_its_own():
    methods = ["softmax", "crt", "lws[retrain=0.1]", {"fine_tune_balanced": {"retrain": 0.2}}]
    labels = {s.method.label for s in parse(methods=methods, set={"retrain": 0.5}).specs}
    assert labels == {"softmax", "crt[retrain=0.5]", "lws[retrain=0.1]", "fine_tune_balanced[retrain=0.2]"}
    few = {"dataset": "digits", "label_fraction": 0.5}
    (other,) = parse(data=few, methods=["fixmatch[unlabelled_sampling=bis]"], set={"sampling": "class_balanced"}, seeds=1).specs
    assert other.method.params["sampling"] == "class_balanced", "the name of one parameter may end in that of another"
    with pytest.raises(UserError, match="set gives retrain, but none of the suite's methods has that parameter"):
        parse(methods=["softmax"], set={"retrain": 0.5})


NO_SPLIT = {"data": {"dataset": "digits", "imbalance_factor": 10}}


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("tau_norm", NO_SPLIT, "chooses τ on a validation split, but the data has none: set validation to 1 or more"),
        ("meta_weight_net[meta_set=validation]", NO_SPLIT, "meta set from a validation split, but the data has none"),
        (
            "bbn",
            {"recipe": {"base": "digits", "model": "mlp"}},
            "duplicates the last block of a backbone, but MLP does not consist",
        ),
        ("manifold_mixup", {"recipe": {"base": "digits", "model": "mlp"}}, "mixes hidden layers, but MLP does not consist"),
        ("crt[stage_one=bbn]", {"recipe": {"base": "digits", "model": "mlp"}}, "MLP does not consist of blocks"),
        ("crt[stage_one=ncm]", {}, "stage_one ncm has several stages itself"),
    ],
)
def test_what_the_data_or_the_model_lacks_is_said_before_anything_starts(method, changes, words):
    with pytest.raises(UserError, match=words):
        parse(methods=["softmax", method], **changes)


def test_the_catalogue_holds_every_supervised_method():
    from lt_core.methods import METHODS

    supervised = {name for name in METHODS if METHODS[name].family != "semi_supervised"}
    assert {s.method.name for s in load_suite("catalogue").specs} == supervised


def test_a_method_or_a_family_can_be_dropped_from_a_glob():
    assert {s.method.name for s in parse(methods=["cb_*", "!cb_focal"]).specs} == {"cb_softmax", "cb_sigmoid"}
    assert {s.method.name for s in parse(methods=["ldam*", "softmax", "!margin"]).specs} == {"softmax"}
    with pytest.raises(UserError, match="'!cb_foca' excludes nothing, because no method or family has that name"):
        parse(methods=["cb_*", "!cb_foca"])


def test_the_whole_of_crests_table():
    # (3 factors + 2 factors) × 2 label fractions × 3 methods × 5 folds
    suite = load_suite("crest_table1")
    assert len(suite.specs) == 5 * 2 * 3 * 5
    assert {s.data.subset_seed for s in suite.specs} == set(range(5))


def test_the_whole_of_the_mm_table():
    # 2 datasets × 2 shapes × 2 factors × (5 losses × 4 rules + the mixed form) × 3 seeds
    assert len(load_suite("mm_table").specs) == 2 * 2 * 2 * 21 * 3


def test_focal_rows_of_the_mm_table_weigh_as_ldam_drws_code_does():
    """The modulator uses the weighted cross-entropy, and the mean is over images; the other losses divide by the weights."""
    params = [s.method.params for s in load_suite("mm_table").specs if s.method.params["weights"] != "none"]
    focal = {(p["focal_on"], p["mean"]) for p in params if p["loss"] == "focal_softmax"}
    assert focal == {("weighted_cross_entropy", "images")}
    assert {p["mean"] for p in params if p["loss"] != "focal_softmax"} == {"weights"}


def test_the_same_trial_twice_is_one_trial():
    once = parse(methods=["softmax"]).specs
    assert parse(methods=["softmax", "softmax"]).specs == once


def test_explicit_counts_are_one_value_not_a_grid():
    counts = [50, 40, 30, 20, 10, 9, 8, 7, 6, 5]
    suite = parse(data={"dataset": "digits", "imbalance_type": "counts", "counts": counts}, methods=["softmax"], seeds=1)
    assert [s.data.counts for s in suite.specs] == [tuple(counts)]


def test_two_datasets_and_two_draws_of_the_images():
    data = [{"dataset": "digits", "imbalance_factor": 10}, {"dataset": "mnist", "imbalance_type": "majority"}]
    suite = parse(data=data, subset_seeds=2, methods=["softmax"], seeds=[7])
    assert {(s.data.dataset, s.data.subset_seed, s.seed) for s in suite.specs} == {
        ("digits", 0, 7), ("digits", 1, 7), ("mnist", 0, 7), ("mnist", 1, 7)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metods": ["softmax"]}, "unknown key 'metods': did you mean 'methods'"),
        ({"recipe": "digit"}, "unknown recipe 'digit': did you mean 'digits'"),
        ({"recipe": {"base": "digits", "epoch": 3}}, "unknown key 'epoch': did you mean 'epochs'"),
        ({"recipe": {"base": "digits", "epochs": 0}}, "epochs must be in [1, 1e+06], got 0"),
        ({"recipe": {"base": "digits", "model": "resnet33"}}, "unknown model 'resnet33'"),
        ({"methods": ["sofmax"]}, "unknown method 'sofmax': did you mean 'softmax'"),
        ({"methods": [{"cb_focal": {"cb_beta": 1.0}}]}, "cb_beta must be in [0, 1), got 1.0"),
        ({"methods": [{"cb_focal": {"cb_bata": 0.9}}]}, "unknown parameter 'cb_bata': did you mean 'cb_beta'"),
        ({"methods": ["zz*"]}, "'zz*' matches no method"),
        ({"data": {"dataset": "digit"}}, "unknown dataset 'digit': did you mean 'digits'"),
        ({"data": {"dataset": "digits", "imbalance_factor": 0.5}}, "imbalance_factor must be in [1, inf), got 0.5"),
        ({"data": {"dataset": "digits", "imbalance_factor": 200, "n_max": 100}}, "leaves class 8 without images"),
        ({"data": {"dataset": "digits", "imbalance_factor": "ten"}}, "imbalance_factor must be a number, got 'ten'"),
        ({"data": {"dataset": "digits", "n_max": 500}}, "needs 500 images of class 0, which has only 128"),
        ({"seeds": 0}, "seeds must be a number of seeds from 1 to 10,000, or a list such as [0, 1, 2]; got 0"),
        ({"seeds": 10**20}, "seeds must be a number of seeds from 1 to 10,000"),
        ({"seeds": [0, 2**32]}, "seeds must be whole numbers from 0 to 4,294,967,295"),
        ({"recipe": 3}, "recipe must be a name, or a mapping such as {base: digits, epochs: 20}; got 3"),
        ({"set": [1]}, "set must be a mapping such as {cb_beta: 0.999}; got [1]"),
        ({"methods": ["!softmax"]}, "methods is empty: name at least one"),
        ({"data": {"dataset": "digits", "imbalance_factor": []}}, "data: imbalance_factor is an empty list"),
        ({"methods": [{"cb_focal": {"gamma": []}}]}, "methods, cb_focal: gamma is an empty list"),
        ({"data": ["digits"]}, "an entry of data must be a mapping"),
    ],
)
def test_what_cannot_run_is_refused_when_read(changes, says):
    with pytest.raises(UserError, match="suite tiny") as error:
        parse(**changes)
    assert says in str(error.value)


def test_a_missing_key_and_a_file_that_is_no_suite(tmp_path):
    with pytest.raises(UserError, match="'methods' is missing"):
        parse_suite("tiny", {k: v for k, v in TINY.items() if k != "methods"})
    path = tmp_path / "x.yaml"
    path.write_text("about: [")
    with pytest.raises(UserError, match="is not YAML"):
        load_suite(path)
    path.write_text("just words")
    with pytest.raises(UserError, match="must be a mapping with the keys"):
        load_suite(path)
    with pytest.raises(UserError, match="cannot be read"):
        load_suite(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="unknown suite 'quik': did you mean 'quick'"):
        load_suite("quik")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("nosuch", "suite tiny: unknown table 'nosuch': choose from"),
        ("crest", "table crest shows trials with label_fraction below 1, but the suite has none"),
        ("mm", "table mm shows trials of its losses, .* but the suite has none"),
    ],
)
def test_a_table_that_cannot_show_the_suite_is_refused_before_anything_trains(table, words):
    with pytest.raises(UserError, match=words):
        parse(table=table, methods=["over_sampling[loss=sigmoid]"])


def test_the_command_line_refuses_a_wrong_table_and_leaves_no_run_folder(call, write_suite, tmp_path):
    for name in ("run", "plan"):
        code, _, err = call(name, write_suite(table="nosuch"))
        assert code == 2 and "suite tiny: unknown table 'nosuch': choose from" in err
    assert not (tmp_path / "results").exists()


def test_a_validation_split_larger_than_the_data_can_give_is_refused_with_the_largest_that_it_can(call, write_suite):
    """The smallest class of digits has 124 training images. It can give 62 if all of them are used, and 74 with n_max 100."""
    full = {"dataset": "digits", "imbalance_factor": 1}
    code, _, err = call("plan", write_suite(data={**full, "validation": 500}))
    assert code == 2
    assert "suite tiny: digits: validation 500 needs more images than class 8 can spare" in err, err
    assert "set validation to 62 or less" in err
    for n_max, largest in ((124, 62), (100, 74)):
        data = {**full, "n_max": n_max}
        assert call("plan", write_suite(data={**data, "validation": largest + 1}))[0] == 2
        assert call("plan", write_suite(data={**data, "validation": largest}))[0] == 0


def test_the_whole_of_the_class_balanced_papers_third_table():
    """It has the same cells as the paper, by set, network, resolution and loss."""
    suites = ("cb_table3_inat", "cb_table3_inat_320", "cb_table3_ilsvrc", "cb_table3_ilsvrc_320")
    names = {"inat2017": "inaturalist2017", "inat2018": "inaturalist2018", "ilsvrc2012": "imagenet2012"}
    specs = [spec for name in suites for spec in load_suite(name).specs]
    ours = [(names[s.data.dataset.split("_")[0]], s.recipe.model, s.recipe.crop, s.method.name) for s in specs]
    printed = published()
    printed = printed[(printed["paper"] == "Cui2019") & (printed["table"] == "3") & (printed["metric"] == "error_top1")]
    theirs = list(zip(printed["dataset"], printed["model"], printed["input_size"], printed["method"], strict=True))
    assert len(ours) == 27 and sorted(ours) == sorted(theirs)


def test_a_suite_of_several_recipes_has_the_trials_of_each(tmp_path):
    file = tmp_path / "two.yaml"
    values = {"about": "two networks", "recipe": ["digits", {"base": "digits", "model": "mlp"}], "seeds": 2}
    file.write_text(yaml.safe_dump({**values, "data": {"dataset": "digits"}, "methods": ["softmax"]}))
    found = [(s.recipe.model, s.seed) for s in load_suite(file).specs]
    assert found == [("small_cnn", 0), ("small_cnn", 1), ("mlp", 0), ("mlp", 1)]
