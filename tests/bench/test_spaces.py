"""Tuning spaces: what can be written in one, and what is rejected before anything starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.tuning.axes import SearchAxis
from bench.tuning.space import load_space
from lt_core.errors import UserError
from tests.bench.spaces import STUDY, space


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"dataset": "digits", "imbalance_factor": 20}}, "needs 'validation: N'"),
        ({"trials": 0}, "give a budget: either trials or gpu_hours"),
        ({"objectives": "balanced_acuracy"}, "did you mean 'balanced_accuracy'"),
        ({"sampler": "tpee"}, "must be in tpe | gp"),
        ({"pruner": "asha", "seeds": 3}, "needs settings with one trial each, not 3"),
        ({"pruner": "asha", "objectives": ["balanced_accuracy", "seconds"]}, "needs a single objective"),
        ({"studies": []}, "studies must be a mapping"),
        ({"studies": {"la": {"methods": "logit_adjusted"}}}, "give methods, space"),
        ({"studies": {"la": {**STUDY, "methods": "logit_adjust"}}}, "did you mean 'logit_adjusted'"),
        ({"studies": {"la": {**STUDY, "space": {"taw": {"low": 1, "high": 2}}}}}, "did you mean 'tau'"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 2, "high": 1}}}}}, "low 2 must be less than high 1"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": -1, "high": 1}}}}}, "tau must be in"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 0, "high": 1, "scale": "log"}}}}}, "scale log needs low > 0"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 1}}}}}, "give either low and high, or values"),
        ({"studies": {"la": {**STUDY, "space": {"recipe.lrr": {"low": 1, "high": 2}}}}}, "did you mean 'lr'"),
        ({"studies": {"la": {**STUDY, "paper": {"tau": 5}}}}, "tau = 5 is outside the space"),
        ({"studies": {"la": {**STUDY, "paper": {"gamma": 1}}}}, "unknown axis in paper 'gamma'"),
        ({"sampler": "grid", "studies": {"la": STUDY}}, "the grid sampler needs a list of values"),
        (
            {"studies": {"la": {"methods": ["softmax", "fixmatch"], "space": {"recipe.lr": [0.05]}}}},
            "fixmatch learns from unlabelled images, but the data has none",
        ),
        ({"objectives": []}, "objectives must be one metric, or a list of different metrics"),
        ({"objectives": ["accuracy", "accuracy"]}, "objectives must be one metric, or a list of different metrics"),
        ({"objectives": [{"a": 1}]}, "unknown objective"),
        (
            {"objectives": "minority_f1", "data": {"dataset": "digits", "imbalance_factor": 1, "n_max": 40, "validation": 5}},
            "minority_f1 is about the smallest class, and all of digits here have 40",
        ),
        ({"objectives": "many_accuracy"}, "is about classes with more than 100 training images, and digits here has"),
        ({"baseline": "cbb"}, "unknown study in baseline 'cbb': did you mean 'cb'"),
        ({"shared": ["recipe.lr"]}, "shared must be a mapping"),
        ({"shared": {"recipe.lrr": {"low": 1, "high": 2}}}, "did you mean 'lr'"),
        ({"subset_seeds": 0}, "subset_seeds must be a number of seeds from 1 to 10,000"),
        ({"recipe": {"base": "digits", "name": "mine"}}, "keeps the name of its base, digits"),
        ({"studies": {"a/b": STUDY}}, "so 'a/b' may contain only letters"),
        ({"studies": {"la": {**STUDY, "methods": []}}}, "methods is empty"),
        ({"studies": {"la": {**STUDY, "space": {}}}}, "space is empty: give at least one axis"),
        ({"studies": {"la": {**STUDY, "space": ["tau"]}}}, "space must be a mapping"),
        ({"studies": {"la": {**STUDY, "space": None}}}, "space must be a mapping"),
        ({"studies": {"la": {**STUDY, "paper": ["tau"]}}}, "paper must be a mapping"),
        ({"studies": {"la": {**STUDY, "space": {"tau": []}}}}, "tau: values must be a list of at least one value"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"values": 3}}}}}, "tau: values must be a list"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 1, "high": 2, "grid": 1}}}}}, "tau: grid must be a list"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 1, "high": 2, "grid": [1, 3]}}}}}, "3 of its grid is outside 1"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 1, "high": 2, "when": "x"}}}}}, "when must be a mapping"),
        ({"studies": {"la": {**STUDY, "space": {"tau": {"low": 1, "high": 2, "when": {"methd": 1}}}}}}, "did you mean 'method'"),
        (
            {"studies": {"la": {**STUDY, "space": {"tau": {"low": 1, "high": 2, "when": {"method": "logit_adj"}}}}}},
            "unknown method in when 'logit_adj': did you mean 'logit_adjusted'",
        ),
        (
            {"studies": {"la": {**STUDY, "space": {"tau": {"values": [1], "when": {"tau": 1}}}}}},
            "its `when` conditions depend on each other in a circle",
        ),
        ({"studies": {"la": {**STUDY, "space": {"recipe.epochs": {"low": 2.5, "high": 9}}}}}, "epochs must be a whole number"),
        ({"studies": {"la": {**STUDY, "space": {"recipe.optimizer": ["sgd", "adamm"]}}}}, "optimizer must be in sgd | adam"),
        ({"studies": {"la": {**STUDY, "space": {"recipe.lr": {"low": -1, "high": 1}}}}}, "lr must be in"),
        ({"studies": {"la": {**STUDY, "space": {"recipe.milestones": [[0.5]]}}}}, "unknown key of a recipe that can be tuned"),
        ({"studies": {"la": {**STUDY, "space": {"recipe.model": ["small_cnn", "resnet23"]}}}}, "resnet23"),
    ],
)
def test_a_wrong_space_is_refused_in_a_sentence(changes, words):
    with pytest.raises(UserError) as caught:
        space(**changes)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_space_that_comes_with_the_benchmark_loads():
    from bench.tuning.space import load_space, space_names

    assert {"cb", "crest", "mm", "logit_adjust", "digits_cb"} <= set(space_names())
    for name in space_names():
        made = load_space(name)
        for study in made.studies:
            assert made.specs(study, study.first)


@given(st.floats(0, 1), st.sampled_from(["linear", "log", "complement"]))
def test_what_is_tried_is_short_and_within_the_bounds(share, scale):
    axis = SearchAxis("cb_beta", 0.9, 0.9999, scale)
    low, high = sorted((axis.encode(axis.low), axis.encode(axis.high)))
    value = axis.decode(low + share * (high - low))
    assert 0.9 <= value <= 0.9999
    assert len(f"{axis.encode(value):.6g}") <= len("0.000123456")


def test_a_parameter_is_tried_where_the_method_has_it():
    study = space().studies[0]
    assert [axis.name for axis in study.applicable({"method": "cb_softmax"})] == ["cb_beta"]
    assert [axis.name for axis in study.applicable({"method": "cb_focal"})] == ["cb_beta", "gamma"]


def test_a_part_can_be_an_axis_and_brings_its_parameters():
    made = space(
        studies={
            "x": {
                "methods": "softmax",
                "space": {"cb_beta": {"low": 0.9, "high": 0.999}, "weights": ["none", "effective_number"]},
            }
        }
    )
    study = made.studies[0]
    assert [a.name for a in study.axes] == ["weights", "cb_beta"]
    assert [a.name for a in study.applicable({"method": "softmax", "weights": "effective_number"})] == ["weights", "cb_beta"]
    assert [a.name for a in study.applicable({"method": "softmax", "weights": "none"})] == ["weights"]


def test_when_ties_an_axis_to_another():
    axes = {"gamma": {"low": 0.5, "high": 2, "when": {"method": "cb_focal"}}, "cb_beta": [0.9, 0.99]}
    study = space(studies={"x": {"methods": ["focal", "cb_focal"], "space": axes}}).studies[0]
    assert [a.name for a in study.applicable({"method": "focal"})] == []
    assert [a.name for a in study.applicable({"method": "cb_focal"})] == ["gamma", "cb_beta"]


def test_when_may_ask_for_a_part_that_the_method_declares_or_for_a_later_axis():
    axes = {
        "gamma": {"low": 0.5, "high": 2, "when": {"loss": "focal", "cb_beta": [0.9]}},
        "cb_beta": [0.9, 0.9999],
    }
    study = space(studies={"x": {"methods": ["cb_softmax", "cb_focal"], "space": axes}}).studies[0]
    assert [a.name for a in study.applicable({"method": "cb_focal", "cb_beta": 0.9})] == ["cb_beta", "gamma"]
    assert [a.name for a in study.applicable({"method": "cb_focal", "cb_beta": 0.9999})] == ["cb_beta"]
    assert [a.name for a in study.applicable({"method": "cb_softmax", "cb_beta": 0.9})] == ["cb_beta"]


def test_values_have_the_type_of_what_they_set():
    """YAML 1.1 reads 1e-4 as text."""
    axes = {
        "recipe.lr": ["1e-4", 1],
        "recipe.epochs": {"low": 2, "high": 9},
        "recipe.optimizer": ["sgd", "adam"],
        "tau": ["2", 1],
    }
    study = space(studies={"la": {"methods": "logit_adjusted", "space": axes, "paper": {"recipe.lr": "1e-4"}}}).studies[0]
    made = {axis.name: axis for axis in study.axes}
    assert made["recipe.lr"].values == [1e-4, 1.0] and made["tau"].values == [2.0, 1.0]
    assert made["recipe.epochs"].whole and not made["recipe.epochs"].holds(2.5 - 1)
    assert study.first["recipe.lr"] == 1e-4 and study.first["recipe.epochs"] == 2


def test_a_space_is_priced_over_the_lengths_that_its_trials_can_have(monkeypatch):
    from bench.suites import cost
    from bench.tuning.pricing import trial_cost

    monkeypatch.setattr(cost, "calibrate", lambda spec: 1 / spec.recipe.batch_size)  # steps cost the same whatever their batch
    quick = {"data": {"dataset": "digits", "imbalance_factor": 1, "n_max": 40, "validation": 5}, "trials": 100}

    def priced(axes, epochs=2, batch=64, methods="logit_adjusted", **more):
        study = {"methods": methods, "space": {"tau": {"low": 1, "high": 2, "grid": [1]}, **axes}}
        recipe = {"base": "digits", "epochs": epochs, "batch_size": batch}
        made = space(**quick, **more, recipe=recipe, studies={"la": study})
        return trial_cost(made, made.studies[0], cost.Prices())

    two, four, six = (priced({}, epochs).mean for epochs in (2, 4, 6))
    assert priced({}) == cost_of(two, two) and six > four > 1.5 * two
    assert priced({"recipe.epochs": [2, 6]}) == cost_of((two + six) / 2, six)
    assert priced({"recipe.epochs": {"low": 2, "high": 6}}) == cost_of(four, six)
    assert priced({"recipe.epochs": {"low": 2, "high": 300, "grid": [2, 4]}}, sampler="grid") == cost_of((two + four) / 2, four)
    elsewhere = {"values": [2, 6], "when": {"method": "softmax"}}
    assert priced({"recipe.epochs": elsewhere}, methods=["logit_adjusted", "softmax"]) == cost_of(two, two)
    both = priced({"recipe.epochs": [2, 6], "recipe.batch_size": [32, 64]})
    assert both == cost_of((2 * two + 2 * six + two + six) / 4, 2 * six), "small batches are more steps"


def cost_of(mean, most):
    return pytest.approx((mean, most))


def test_the_values_of_an_axis_are_spread_on_its_scale():
    assert SearchAxis("recipe.epochs", values=[5, 1]).spread() == [5, 1]
    assert SearchAxis("recipe.epochs", 1, 16, scale="log", whole=True).spread() == [1, 2, 4, 8, 16]
    assert SearchAxis("tau", 0, 2).spread() == [0, 0.5, 1, 1.5, 2]
    assert SearchAxis("cb_beta", 0.9, 0.99999, scale="complement").spread() == pytest.approx([0.9, 0.99, 0.999, 0.9999, 0.99999])


def test_a_key_that_stands_twice_and_a_file_that_is_no_text_are_refused(tmp_path):
    from bench.tuning.space import load_space

    file = tmp_path / "twice.yaml"
    file.write_text("about: x\nstudies: {la: {space: {tau: [1], tau: [2]}}}\n")
    with pytest.raises(UserError, match="'tau' occurs twice"):
        load_space(file)
    file.write_bytes(b"about: \xff\xfe\n")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        load_space(file)


def test_a_space_takes_from_its_base_what_it_does_not_say(tmp_path):
    near, far = tmp_path / "near.yaml", tmp_path / "far.yaml"
    near.write_text("base: digits_cb\ntrials: 3\n")
    far.write_text("base: near.yaml\nabout: two bases up\nstudies: {la: {methods: logit_adjusted, space: {tau: [1, 2]}}}\n")
    base, made = load_space("digits_cb"), load_space(far)
    assert (made.name, made.about, made.trials) == ("far", "two bases up", 3)
    assert (made.recipe, made.data) == (base.recipe, base.data) and [study.name for study in made.studies] == ["la"]


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("loop.yaml", "tuning space loop: its base, loop.yaml, is based on this space itself"),
        ("there.yaml", "is based on this space itself, or on more than 10 others"),
        ("wrong.yaml", "tuning space wrong: unknown key 'tirals': did you mean 'trials'"),
        ("digits_cbb", "tuning space loop: unknown tuning space 'digits_cbb': did you mean 'digits_cb'"),
        ("lost.yaml", "lost.yaml cannot be read"),
        ("[digits_cb]", "base must be the name or file of another tuning space, got ['digits_cb']"),
    ],
)
def test_a_base_that_leads_nowhere_is_refused(tmp_path, base, words):
    (tmp_path / "loop.yaml").write_text(f"base: {base}\n")
    (tmp_path / "there.yaml").write_text("base: loop.yaml\n")
    (tmp_path / "wrong.yaml").write_text("base: digits_cb\ntirals: 3\n")
    with pytest.raises(UserError) as caught:
        load_space(tmp_path / "loop.yaml")
    assert words in str(caught.value)


def test_a_first_setting_is_called_published_only_where_a_paper_has_it():
    assert all(study.published for study in load_space("digits_cb").studies)
    (study,) = load_space("digits_joint").studies
    assert not study.published and study.first["minority_gamma"] == 1 and study.first["cycle_weight"] == 10
