from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch

from lt_core.errors import UserError
from lt_core.recipes import RECIPES
from lt_core.training.loop import Training
from lt_core.training.optim import learning_rate

LDAM, CB = RECIPES["cifar_ldam"], RECIPES["cifar_cb"]
CPU = torch.device("cpu")


def test_cifar_ldam_warms_up_by_epoch_and_drops_twice():
    expected = [0.1 * min(1, (e + 1) / 5) for e in range(160)] + [1e-3] * 20 + [1e-5] * 20
    for fraction in (0.0, 0.5, 0.999):
        assert [learning_rate(LDAM, e, fraction) for e in range(200)] == pytest.approx(expected, rel=1e-12)


def test_cifar_cb_warms_up_by_step_from_zero():
    assert learning_rate(CB, 0, 0.0) == 0
    assert learning_rate(CB, 2, 0.5) == pytest.approx(0.05)
    assert learning_rate(CB, 4, 1.0) == pytest.approx(0.1)
    rates = [learning_rate(CB, e, i / 100) for e in range(5) for i in range(100)] + [learning_rate(CB, 5, 0.0)]
    assert [b - a for a, b in itertools.pairwise(rates)] == pytest.approx([0.1 / 500] * 500)
    after = [0.1] * 155 + [1e-3] * 20 + [1e-5] * 20
    assert [learning_rate(CB, e, 0.3) for e in range(5, 200)] == pytest.approx(after)


@pytest.mark.parametrize("recipe", [LDAM, CB], ids=lambda r: r.name)
def test_another_length_moves_the_milestones_and_keeps_the_warm_up(recipe):
    short = dataclasses.replace(recipe, epochs=40)
    rates = [learning_rate(short, e, 0.0) for e in range(40)]
    first = [0.02, 0.04, 0.06, 0.08, 0.1] if recipe.warmup_by == "epoch" else [0.0, 0.02, 0.04, 0.06, 0.08]
    assert rates == pytest.approx(first + [0.1] * 27 + [1e-3] * 4 + [1e-5] * 4)


def test_a_warm_up_that_is_a_fraction_scales_with_the_length():
    for epochs, first in ((200, [0.02, 0.04, 0.06, 0.08, 0.1]), (80, [0.05, 0.1, 0.1]), (40, [0.1, 0.1])):
        recipe = dataclasses.replace(LDAM, epochs=epochs, warmup=0.025, warmup_epochs=0)
        assert [learning_rate(recipe, e, 0.0) for e in range(len(first))] == pytest.approx(first)


def test_a_warm_up_is_given_once():
    with pytest.raises(UserError, match=r"warmup=0\.025 and warmup_epochs=5 both set the warm-up: set one of them to 0"):
        dataclasses.replace(LDAM, warmup=0.025)


def test_no_warm_up_and_no_milestones_is_a_constant_rate():
    recipe = dataclasses.replace(LDAM, warmup_epochs=0, milestones=(), drops=(), lr=0.3)
    assert {learning_rate(recipe, e, f) for e in range(200) for f in (0.0, 0.9)} == {0.3}


def test_the_rate_reaches_the_optimiser(make_spec, make_split):
    """Warm-up over two epochs of two steps each."""
    spec = make_spec("sigmoid", lr=0.4, batch_size=10, epochs=2, warmup_epochs=2, milestones=(), drops=())
    training = Training(spec, make_split([10, 10]), CPU)
    rates, step = [], training.optimizer.step
    training.optimizer.step = lambda: (rates.append([g["lr"] for g in training.optimizer.param_groups]), step())[1]
    training.run_epoch()
    training.run_epoch()
    assert rates == [pytest.approx([r] * 2) for r in (0.0, 0.1, 0.2, 0.3)]


def groups(spec, split):
    training = Training(spec, split, CPU)
    names = {id(p): n for n, p in training.model.named_parameters()}
    decay = {names[id(p)]: g["weight_decay"] for g in training.optimizer.param_groups for p in g["params"]}
    assert set(decay) == set(names.values())
    return training, decay


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("method", ["sigmoid", "focal", "cb_sigmoid", "cb_focal"])
def test_the_prior_bias_of_binary_losses_is_not_decayed_and_starts_at_the_prior(make_spec, make_split, method, optimizer):
    training, decay = groups(make_spec(method, optimizer=optimizer), make_split([4] * 10))
    assert {n for n, d in decay.items() if d == 0} == {"classifier.bias"}
    assert {d for n, d in decay.items() if n != "classifier.bias"} == {5e-4}
    assert training.model.classifier.bias.tolist() == pytest.approx([-math.log(9)] * 10)
    hundred = Training(make_spec(method), make_split([1] * 100), CPU)
    assert hundred.model.classifier.bias.tolist() == pytest.approx([-4.59512] * 100, abs=1e-5)


@pytest.mark.parametrize("method", ["softmax", "cb_softmax", "ldam", "sigmoid[head=cosine]"])
def test_everything_else_is_decayed_batch_norm_included(make_spec, make_split, method):
    training, decay = groups(make_spec(method), make_split([4] * 10))
    assert set(decay.values()) == {5e-4}
    assert any("norm" in name for name in decay)
    bias = getattr(training.model.classifier, "bias", None)
    assert bias is None or bias.tolist() == [0.0] * 10


def test_the_recipe_chooses_the_optimiser(make_spec, make_split):
    sgd = Training(make_spec(momentum=0.7, nesterov=True), make_split([2, 2]), CPU).optimizer
    assert type(sgd).__name__ == "SGD" and {(g["momentum"], g["nesterov"]) for g in sgd.param_groups} == {(0.7, True)}
    assert type(Training(make_spec(optimizer="adam"), make_split([2, 2]), CPU).optimizer).__name__ == "Adam"
