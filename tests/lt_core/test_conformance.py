"""What must hold for every registered method. No method is named here: a new one is tested by being registered."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import fields
from functools import partial

import pytest
import torch

from lt_core.errors import UserError
from lt_core.features import by_batches
from lt_core.fields import domains, param
from lt_core.identity import NEUTRAL
from lt_core.methods import METHODS, Neutral, method, resolve
from lt_core.parts import GROUPS, build_parts, part
from lt_core.posthoc import Posthoc
from lt_core.training import run_trial
from lt_core.training.evaluate import evaluate

every_method = pytest.mark.parametrize("name", list(METHODS))
# A method has a setting at which it must be a plainer one, or it says why there is none. Softmax is what the others are held to.
with_neutral_point = pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].neutral.at])
without_neutral_point = pytest.mark.parametrize(
    "name", [name for name in METHODS if not METHODS[name].neutral.at and name != "softmax"]
)


@pytest.fixture(scope="module")
def measured(fitting_spec, figures):
    """Figures of a method on digits, each computed once."""
    known = {}

    def of(label, at=None, beside=None):
        """``beside``: the method that it is compared with, on whose data."""
        semi = METHODS[beside or label].family == "semi_supervised"
        spec = fitting_spec(label, at, {"imbalance_factor": 10, "n_max": 60, "validation": 2}, semi=semi, eval_every=1)
        if spec.trial_id not in known:
            known[spec.trial_id] = figures(run_trial(spec))
            assert known[spec.trial_id]["status"] == "ok", known[spec.trial_id]["cause"]
        return known[spec.trial_id]

    return of


@every_method
def test_a_declaration_is_whole(name):
    method = METHODS[name]
    assert method.about and method.cite and method.family
    for key in method.space:
        values = method.domains()[key].tune
        assert len(set(values)) > 1, f"{key} is to be tuned but its domain does not name values to choose from"
        assert len({method.resolve({key: value}).label for value in values}) == len(values)
    assert all(domain.help for domain in method.domains().values())
    assert method.neutral.equals == "softmax" or method.neutral.reason, "it must say why it is softmax at no setting"


@with_neutral_point
def test_a_method_at_its_neutral_point_is_the_plain_one_to_the_bit(name, measured):
    neutral = METHODS[name].neutral
    assert measured(name, neutral.at) == measured(neutral.equals, beside=name)


@with_neutral_point
def test_a_method_away_from_its_neutral_point_is_another_one(name, measured):
    """Else the test above would prove nothing."""
    early = {"defer": 0.3} if "defer" in METHODS[name].domains() else {}
    assert measured(name, early) != measured(METHODS[name].neutral.equals, beside=name)


@without_neutral_point
def test_a_method_without_a_neutral_point_is_not_the_plain_one_even_with_all_turned_down(name, measured):
    """As it is declared, and with each parameter at its least value, which is where a neutral point would be."""
    least = {key: domain.low for key, domain in METHODS[name].domains().items() if domain.low is not None}
    assert METHODS[name].neutral.equals in ("", name), "no hyperparameter is set, so it can only be itself"
    for at in ({}, least):
        assert measured(name, at) != measured("softmax", beside=name)


@every_method
def test_a_label_names_the_whole_method(name):
    """`name[key=value,…]` is all that is needed to make it again, at any setting."""
    for at in ({}, METHODS[name].neutral.at, *({k: v} for k in METHODS[name].space for v in METHODS[name].domains()[k].tune)):
        made = resolve(name, at)
        assert resolve(made.label) == made
    assert resolve(name).label == name


@every_method
def test_a_class_of_one_image_is_no_obstacle(name, fitting_spec):
    counts = [40, 30, 20, 10, 8, 6, 4, 3, 2, 1]
    spec = fitting_spec(name, data={"imbalance_type": "counts", "counts": counts, "validation": 2})
    result = run_trial(spec)
    assert result.status == "ok", result.traceback
    assert result.train_counts[-1] == 1
    losses = [row["train_loss"] for row in result.curve]  # no number where nothing was trained, such as for class means
    assert any(map(math.isfinite, losses)) and not any(map(math.isinf, losses))


@every_method
@pytest.mark.parametrize("counts", [[30, 3], [1] * 50 + [2] * 50], ids=["two", "hundred"])
def test_any_number_of_classes_will_do(name, counts, fitting_spec, make_split, train):
    spec, split = fitting_spec(name, epochs=2), make_split(counts)
    training, losses = train(spec, split)
    assert all(map(math.isfinite, losses))
    found = evaluate(training, split.test)
    assert found.confusion.sum(axis=1).tolist() == counts
    assert found.calibration[0].sum() == sum(counts)


@every_method
def test_a_small_batch_can_be_learnt_by_heart(name, fitting_spec, make_split, train):
    long = {"retrain": 1.0} if "retrain" in METHODS[name].domains() else {}  # a second stage must have its time too
    spec = fitting_spec(name, long, epochs=60, pad=0, warmup_epochs=0, milestones=(), drops=(), weight_decay=0.0, batch_size=20)
    split = make_split([4] * 5)
    training, losses = train(spec, split)
    assert evaluate(training, split.train).accuracy == 1.0
    # A mixed or smoothed target has a loss above zero at best.
    plain = {k: NEUTRAL[k] for k in ("step", "loss")}.items() <= spec.method.params.items()
    # A weight may grow as the loss falls, as influence weights do: then the loss without it says what has been learnt.
    last = losses[-1] if spec.method.params["weights"] == NEUTRAL["weights"] else unweighted_loss(training, split.train)
    assert last < (0.25 if plain else 1) * losses[0]


@torch.no_grad()
def unweighted_loss(training, images):
    outputs = by_batches(training, images, lambda outputs, features: outputs)
    return training.loss_of(outputs, images.labels).mean().item()


@every_method
def test_the_same_trial_gives_the_same_figures_after_any_other(name, fitting_spec, figures):
    spec = fitting_spec(name, seed=3, data={"imbalance_factor": 10, "n_max": 60, "validation": 2})
    before = figures(run_trial(spec))
    run_trial(fitting_spec("softmax", seed=8, optimizer="adam", batch_size=17, epochs=1))
    torch.manual_seed(99)
    torch.rand(5)
    assert figures(run_trial(spec)) == before
    assert figures(run_trial(dataclasses.replace(spec, seed=4)))["confusion"] != before["confusion"]


def outside(domain, default, optional=False):
    """Values that the domain excludes."""
    if domain.choices:
        return ["nonsense"]
    if default is None or optional:  # none is inside
        return ["nonsense", True, math.inf]
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return ["nonsense", None, 3.5]
    beyond = [domain.low, domain.high]
    beyond = [edge + step for edge, step in zip(beyond, (-1, 1), strict=True) if edge is not None]
    beyond += [edge for edge in (domain.above, domain.below) if edge is not None]
    return [*beyond, "many", None, True, math.nan, math.inf]


@every_method
def test_a_value_outside_a_parameters_domain_is_refused_by_name(name):
    method = METHODS[name]
    params = method.resolve().params
    for key, domain in method.domains().items():
        optional = any(f.default is None for part in build_parts(params).values() for f in fields(part) if f.name == key)
        for value in outside(domain, params[key], optional):
            with pytest.raises(UserError, match=rf"\b{key}\b"):
                method.resolve({key: value})


@every_method
def test_a_choice_that_does_not_exist_is_refused_by_name(name):
    for group in GROUPS:
        with pytest.raises(UserError, match=f"unknown {group} 'nonsense'"):
            METHODS[name].resolve({group: "nonsense"})
    with pytest.raises(UserError, match="unknown parameter 'nonsense'"):
        METHODS[name].resolve({"nonsense": 1})


@every_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loss_and_gradients_are_finite_at_extreme_logits(name, extreme_logits, dtype):
    settings = [{}, METHODS[name].neutral.at] + [{k: v} for k in METHODS[name].space for v in METHODS[name].domains()[k].tune]
    counts = torch.tensor([5000.0, 100.0, 1.0], dtype=torch.float64)
    for at in settings:
        parts = build_parts(METHODS[name].resolve(at).params)
        given, labels = extreme_logits[0].to(dtype).requires_grad_(), extreme_logits[1]
        logits = given.float()  # as the network hands them over
        weights = parts["weights"].bind(counts).float()[labels]
        losses = parts["loss"].bind(counts.float())(logits, labels)
        loss = parts["weights"].average(losses, weights)
        (gradient,) = torch.autograd.grad(loss, given)
        assert loss.isfinite() and gradient.isfinite().all()
        made = parts["posthoc"].probabilities(parts["loss"].logits(logits), parts["loss"], counts)
        assert made.isfinite().all() and (made >= 0).all() and (made <= 1).all()
        first, second = logits.topk(2).values.T
        leads = first > second  # by 10⁴, which no class prior makes up for
        assert leads.any() and made.argmax(dim=1)[leads].equal(logits.argmax(dim=1)[leads])


def test_no_parameter_is_called_as_a_group_is():
    """Choices and parameters are one flat list, in which a method would take such a parameter for a choice."""
    assert not {key for registry in GROUPS.values() for choice in registry for key in domains(registry[choice])} & set(GROUPS)


def test_a_parameter_that_another_group_has_is_refused():
    class Taken(Posthoc):
        gamma: float = param(0.5, "the name of the focusing of focal loss", low=0)

    known = list(GROUPS["posthoc"])
    with pytest.raises(UserError, match="posthoc taken and loss focal both have a parameter gamma: rename one"):
        part("posthoc", "taken")(Taken)
    assert list(GROUPS["posthoc"]) == known


def test_a_declaration_that_names_what_its_parts_lack_is_refused():
    declare = partial(method, "wrong", "family", "about", "cite", loss="focal")
    with pytest.raises(UserError, match="wrong: the space to tune names beta, which none of its parts has"):
        declare(space=("gamma", "beta"), neutral=Neutral({"gamma": 0.0}, equals="sigmoid"))
    with pytest.raises(UserError, match="unknown parameter 'gama'"):
        declare(neutral=Neutral({"gama": 0.0}))
    assert "wrong" not in METHODS
