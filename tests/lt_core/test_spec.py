from __future__ import annotations

import dataclasses
import json

import pytest

from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from lt_core.fields import build, domains
from lt_core.identity import NEUTRAL, OPTIONAL_IN_ID
from lt_core.methods import METHODS, resolve
from lt_core.moved import ABSENT, MOVED, as_stored, as_written
from lt_core.parts import GROUPS
from lt_core.recipes import RECIPES, Recipe
from lt_core.spec import DataSpec, MethodSpec, TrialSpec
from lt_core.stages import stage_one

DATA = {"dataset": "digits", "imbalance_type": "exp", "imbalance_factor": 10.0}


def literal():
    """A spec that is written out in full, so that no registered recipe or method can change it."""
    recipe = Recipe(
        name="fixed", model="mlp", epochs=7, batch_size=32, optimizer="sgd", lr=0.05, momentum=0.9, nesterov=True,
        weight_decay=5e-4, warmup=0.1, warmup_by="step", milestones=(0.5, 0.75), drops=(0.1, 0.01), pad=1, flip=False,
        normalize="unit", precision="float32", eval_every=2,
    )  # fmt: skip
    data = DataSpec("digits", "step", 20.0, 100, (), 3, 5, 10)
    return TrialSpec(data, MethodSpec("focal", {"loss": "focal", "gamma": 0.5, "head": "linear"}, "β"), recipe, 4, 1)


def test_the_id_of_a_fixed_spec_never_changes():
    """This fails if hashing or a resolved field changed, which would orphan every stored figure. If intended, raise PROTOCOL."""
    assert literal().trial_id == "bfa370c12b0d2bb9"


def test_a_group_at_its_neutral_choice_leaves_the_id_alone():
    """Otherwise a new group of parts would orphan every stored figure."""
    spec = literal()
    for params in ({"loss": "focal", "gamma": 0.5}, {**spec.method.params, **{g: c for g, c in NEUTRAL.items() if g != "loss"}}):
        assert dataclasses.replace(spec, method=MethodSpec("focal", params)).trial_id == spec.trial_id


def test_the_id_survives_dict_and_json():
    spec = literal()
    read = TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert read == spec
    assert read.trial_id == spec.trial_id
    assert read.method.label == "β"


@pytest.mark.parametrize("name", list(RECIPES))
def test_registered_recipes_survive_the_round_trip(name):
    spec = TrialSpec(build(DataSpec, DATA), resolve("softmax"), RECIPES[name])
    assert TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict()))).trial_id == spec.trial_id


def test_equal_specs_have_equal_ids():
    """An integer in a field of fractions becomes a fraction, however the spec was made."""
    spec = literal()
    for part, change in (("data", {"imbalance_factor": 20}), ("recipe", {"lr": 1}), ("recipe", {"drops": (1, 0)})):
        whole = dataclasses.replace(spec, **{part: dataclasses.replace(getattr(spec, part), **change)})
        exact = {k: float(v) if not isinstance(v, tuple) else tuple(map(float, v)) for k, v in change.items()}
        fraction = dataclasses.replace(spec, **{part: dataclasses.replace(getattr(spec, part), **exact)})
        assert whole == fraction
        assert whole.trial_id == fraction.trial_id


def other(value, domain, name):
    """A valid value of the same type that is not ``value``."""
    if domain.choices:
        return next(c for c in domain.choices if c != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 7
    if isinstance(value, float):
        return value / 2 + 0.1
    if isinstance(value, tuple):
        return (*value[:-1], value[-1] * 0.9 + 0.05) if value else (*range(1, 11),)
    return {"dataset": "mnist", "model": "small_cnn"}.get(name, f"{value}x")


@pytest.mark.parametrize("field", dataclasses.fields(Recipe), ids=lambda f: f.name)
def test_every_field_of_a_recipe_enters_the_id(field):
    cropped = {"pad": 0, "crop": 6}
    needs = {  # other fields that it needs
        "warmup_epochs": {"warmup": 0.0},
        "crop": {"pad": 0},
        "crop_area": cropped,
        "crop_ratio": cropped,
        "eval_resize": cropped,
        "policy_operations": {"policy": "randaugment"},
        "policy_magnitude": {"policy": "randaugment"},
    }
    spec = literal()
    spec = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, **needs.get(field.name, {})))
    value = other(getattr(spec.recipe, field.name), field.metadata["domain"], field.name)
    changed = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, **{field.name: value}))
    assert changed.trial_id != spec.trial_id


@pytest.mark.parametrize("field", dataclasses.fields(DataSpec), ids=lambda f: f.name)
def test_every_field_of_the_data_enters_the_id(field):
    spec = literal()
    if field.name == "counts":
        spec = dataclasses.replace(spec, data=DataSpec("digits", "counts", counts=(9,) * 10))
    if field.name.startswith("unlabelled"):
        spec = dataclasses.replace(spec, data=dataclasses.replace(spec.data, unlabelled_ratio=1.0))
    given = {"imbalance_type": "exp", "class_order_seed": None, "counts": (9,) * 9 + (8,), "unlabelled_imbalance": 1.5}
    value = given.get(field.name)
    if field.name not in given:
        value = other(getattr(spec.data, field.name), field.metadata["domain"], field.name)
    changed = dataclasses.replace(spec, data=dataclasses.replace(spec.data, **{field.name: value}))
    assert changed.trial_id != spec.trial_id


def test_method_seed_and_protocol_enter_the_id_and_the_label_does_not():
    spec = literal()
    ids = {spec.trial_id}
    for change in (
        {"seed": 5},
        {"protocol": 2},
        {"method": MethodSpec("other", spec.method.params)},
        *({"method": MethodSpec("focal", {**spec.method.params, key: "x"})} for key in spec.method.params),
    ):
        ids.add(dataclasses.replace(spec, **change).trial_id)
    assert len(ids) == 1 + 3 + len(spec.method.params)
    assert dataclasses.replace(spec, method=MethodSpec("focal", spec.method.params, "another")).trial_id == spec.trial_id


def test_the_order_of_parameters_does_not_matter():
    spec = literal()
    backwards = MethodSpec("focal", dict(reversed(spec.method.params.items())))
    assert dataclasses.replace(spec, method=backwards).trial_id == spec.trial_id


@pytest.mark.parametrize("name", list(METHODS))
def test_defaults_left_out_or_written_out_give_the_same_id(name):
    short = TrialSpec(build(DataSpec, DATA), resolve(name), RECIPES["digits"])
    method = resolve(name, {k: str(v) for k, v in short.method.params.items()})
    recipe = build(Recipe, dataclasses.asdict(RECIPES["digits"]))
    data = build(DataSpec, {**DATA, "n_max": DATASETS["digits"].n_max, "counts": [], "class_order_seed": None, "validation": 0})
    assert TrialSpec(data, method, recipe, 0).trial_id == short.trial_id
    assert method.label == name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"imbalance_factor": 0.01}, "imbalance_factor must be in"),
        ({"imbalance_type": "natural"}, "imbalance_factor applies to imbalance_type exp and step"),
        ({"counts": [1] * 10}, "counts and imbalance_type counts must be given together"),
        ({"imbalance_type": "counts", "imbalance_factor": 1}, "counts and imbalance_type counts must be given together"),
        ({"imbalance_type": "counts", "imbalance_factor": 1, "counts": [0] * 10}, "counts must be in"),
        ({"imbalance_type": "linear"}, "imbalance_type must be in exp | step"),
        ({"dataset": "digit"}, "did you mean 'digits'"),
        ({"subset_seed": -1}, "subset_seed must be in"),
        ({"validation": -1}, "validation must be in"),
        ({"n_max": -1}, "n_max must be in"),
    ],
)
def test_data_that_make_no_sense_are_refused(change, words):
    with pytest.raises(UserError) as error:
        build(DataSpec, {**DATA, **change})
    assert words in str(error.value)


@pytest.mark.parametrize("change", [{"n_max": 50}, {"class_order_seed": 1}])
def test_a_setting_that_would_be_ignored_is_refused(change):
    """Otherwise one trial would have two ids, and the user would believe in an effect that does not exist."""
    with pytest.raises(UserError, match=next(iter(change))):
        build(DataSpec, {"dataset": "digits", "imbalance_type": "natural", **change})


@pytest.mark.parametrize(
    ("part", "change"),
    [("data", {"imbalance_factor": 0.5}), ("data", {"validation": -1}), ("recipe", {"epochs": 0}), ("recipe", {"lr": -1.0})],
)
def test_bounds_hold_however_a_spec_is_made(part, change):
    """`dataclasses.replace` is how a plan changes epochs."""
    with pytest.raises(UserError, match=next(iter(change))):
        dataclasses.replace(getattr(literal(), part), **change)


def test_a_recipe_needs_one_drop_a_milestone():
    with pytest.raises(UserError, match="1 milestones but 2 drops"):
        build(Recipe, {"name": "r", "model": "mlp", "milestones": [0.5], "drops": [0.1, 0.01]})


def test_a_parameter_added_later_leaves_ids_as_they_were(make_spec):
    """At its default it does not enter the id, so that older records still have the right names."""
    for key, default in OPTIONAL_IN_ID.items():
        owners = [cls for group in GROUPS.values() for cls in map(group.__getitem__, group) if key in domains(cls)]
        assert owners and all(next(f.default for f in dataclasses.fields(cls) if f.name == key) == default for cls in owners)
    now = make_spec("fixmatch", {"strong_augment": "always"}, data={"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5})
    assert now.method.params["strong_views"] == 1
    params = {k: v for k, v in now.method.params.items() if k not in OPTIONAL_IN_ID}
    before = dataclasses.replace(now, method=dataclasses.replace(now.method, params=params))
    assert before.trial_id == now.trial_id
    other = make_spec(
        "fixmatch",
        {"strong_augment": "always", "strong_views": 2},
        data={"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5},
    )
    assert other.trial_id != now.trial_id


def test_moved_parameters_are_those_of_the_declarations():
    """MOVED is written out, because labels are read where no part is loaded."""
    for name in METHODS:
        params, moved = resolve(name).params, MOVED.get(name, {})
        now = {key: as_stored(now) if key == "stage_one" else now for key, (_, now) in moved.items()}
        assert now == {key: params[key] for key in moved}, f"{name}: MOVED in lt_core/moved.py is not what it declares"
        left_out = {key for key, value in OPTIONAL_IN_ID.items() if params.get(key, value) != value} - set(moved)
        left_out -= {"strong_views"} if name in ("bis", "bi_sampling") else set()  # they have always declared it
        assert not left_out, (
            f"{name} declares {left_out} at another value than OPTIONAL_IN_ID: add it to MOVED in lt_core/moved.py"
        )
        assert all(
            then == OPTIONAL_IN_ID[key] for key, (then, _) in moved.items() if key in OPTIONAL_IN_ID and then is not ABSENT
        )


def test_a_first_stage_has_the_id_of_what_it_means(make_spec):
    """It is a label inside an id: an older label keeps its meaning after a declaration has changed, and a new one gets another
    id.
    """
    now = make_spec("crt", {"stage_one": "influence_balanced"})
    assert now.method.params["stage_one"] == "influence_balanced[ib_alpha=1000,ib_gradient=through,ib_rate=0.01]"
    assert now.method.label == "crt[stage_one=influence_balanced]"
    old = now.to_dict()
    old["method"]["params"]["stage_one"] = "influence_balanced"  # as in an older record
    read = TrialSpec.from_dict(old)
    assert read.method.label == "crt[stage_one=influence_balanced[ib_alpha=10,ib_gradient=stopped,ib_rate=1]]"
    assert read.trial_id != now.trial_id and make_spec(read.method.label).trial_id == read.trial_id
    for spec, alpha in ((now, 1000.0), (read, 10.0)):
        assert stage_one(spec).method.params["ib_alpha"] == alpha
    for label in ("softmax", "ldam[scale=20]", "fixmatch[strong_augment=always]", "abc[unsup_ratio=7]", "l2rw"):
        assert as_stored(as_written(as_stored(label))) == as_stored(label)


def test_a_row_from_before_a_declaration_moved_has_a_label_of_its_own(make_spec):
    data = {"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}
    now = make_spec("crest", {"unsup_ratio": 2}, data=data).to_dict()
    assert TrialSpec.from_dict(now).method.label == "crest[unsup_ratio=2]"
    for gone in ("strong_augment", "crest_profile", "align_to"):
        del now["method"]["params"][gone]
    old = TrialSpec.from_dict(now)
    assert old.method.label == "crest[unsup_ratio=2,strong_augment=always,crest_profile=counts]"
    assert old.trial_id == make_spec(old.method.label, data=data).trial_id
    assert TrialSpec.from_dict(old.to_dict()).method.label == old.method.label

    data = {**data, "label_fraction": 0.5}
    bis = make_spec("bi_sampling", data=data).to_dict()
    del bis["method"]["params"]["strong_augment"]
    bis["method"]["params"]["stage_one"] = "fixmatch[unsup_ratio=1,strong_views=2]"
    old = TrialSpec.from_dict(bis)
    assert old.method.label == (
        "bi_sampling[strong_augment=always,stage_one=fixmatch[unsup_ratio=1,strong_views=2,strong_augment=always]]"
    )
    assert make_spec(old.method.label, data=data).trial_id == old.trial_id

    swapped = make_spec("crest[step=pseudo_label,crest_profile=counts]", data=data)
    assert TrialSpec.from_dict(swapped.to_dict()).method.label == swapped.method.label
