"""The estimated cost of trials: from finished ones, from a calibration, and for large networks from counted operations."""

from __future__ import annotations

import dataclasses

import pytest
from torch import nn

from bench.cli.wording import announce
from bench.suites import cost
from bench.suites.suite import load_suite
from lt_core.models.flops import forward_flops, training_flops
from lt_core.testing.trials import tiny_spec


@pytest.fixture
def calibrated(monkeypatch):
    """The models that are calibrated, each at one second per unit of work; nothing is computed."""
    asked = []

    def calibrate(spec):
        asked.append((spec.recipe.model, spec.recipe.crop))
        return 1.0

    monkeypatch.setattr(cost, "calibrate", calibrate)
    return asked


def pair(kept):
    """Two convolutions, of which the first may be ``kept`` untrained."""
    first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1)
    first.requires_grad_(not kept)
    return nn.Sequential(nn.Sequential(first, nn.BatchNorm2d(4).requires_grad_(not kept)), second)


def test_the_way_back_is_twice_the_way_forward_but_not_through_what_is_kept():
    first, second = 2 * 64 * 9 * 3 * 4, 2 * 64 * 4 * 2  # two operations per weight and pixel
    assert forward_flops(lambda: pair(False), (8, 8, 3)) == first + second
    assert training_flops(lambda: pair(False), (8, 8, 3)) == 3 * (first + second)
    assert training_flops(lambda: pair(True), (8, 8, 3)) == first + 3 * second


def test_of_large_networks_one_is_calibrated_and_the_others_counted(calibrated):
    """ResNet-101 has 1.92 times the operations of ResNet-50 at 224 pixels (7.80 and 4.09 billion multiplications)."""
    prices, specs = cost.Prices(), load_suite("cb_table3_ilsvrc").specs
    small, large = ([s for s in specs if s.recipe.model == model] for model in ("resnet50", "resnet101"))
    first, second = prices.estimate(small), prices.estimate(large)
    assert calibrated == [("resnet50", 224)]
    assert (first.calibrated, first.counted, second.calibrated, second.counted) == (2, 0, 0, 2)
    assert second.beside == "resnet50 at 224 pixels"
    assert second.seconds / first.seconds == pytest.approx(7.80 / 4.09, rel=0.01)
    wider = prices.estimate(load_suite("cb_table3_ilsvrc_320").specs[:1])
    assert wider.counted == 1 and wider.seconds / first.seconds == pytest.approx((320 / 224) ** 2 / 2, rel=0.03)
    assert len(calibrated) == 1


def test_small_networks_are_calibrated_each_once_for_all_suites(calibrated):
    prices, spec = cost.Prices(), tiny_spec()
    other = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, model="mlp"))
    found = prices.estimate([spec, other]), prices.estimate([spec, dataclasses.replace(spec, seed=5)])
    assert [one.calibrated for one in found] == [2, 2] and len(calibrated) == 2
    assert not any(one.counted or one.beside for one in found)


def test_a_finished_large_trial_prices_the_others(calibrated, monkeypatch):
    spec = load_suite("cb_table3_ilsvrc").specs[0]
    monkeypatch.setattr(cost, "_measured_rates", lambda specs, frame: {cost._kind(spec): 0.5})
    others = load_suite("cb_table3_ilsvrc_320").specs
    found = cost.Prices().estimate([spec, *others], frame=object())
    assert (found.measured, found.calibrated, found.counted) == (1, 0, len(others)) and calibrated == []


def test_a_plan_says_how_it_priced(calibrated, call):
    code, out, err = call("plan", "cb_table3")
    assert code == 0, err
    assert "2 by timing a few steps on this machine; 10 by counting operations, relative to resnet50 at 224 pixels)" in out
    assert out.count("by timing a few steps") == 1 and out.count("relative to resnet50 at 224 pixels") == 4
    assert err == "timing a few steps of resnet50 on inat2017_256px in batches of 1024 to estimate costs …\n"


def test_a_plan_says_what_it_times_before_it_does(monkeypatch, capsys):
    """`plan full` works for a minute or two: nobody should wait without a word."""

    def calibrate(spec):
        what = f"{spec.recipe.model} on {spec.data.dataset} in batches of {spec.recipe.batch_size}"
        assert capsys.readouterr().err == f"timing a few steps of {what} to estimate costs …\n"
        return 1.0

    monkeypatch.setattr(cost, "calibrate", calibrate)
    spec = tiny_spec()
    other = dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, model="mlp"))
    assert cost.Prices(announce).estimate([spec, other, spec]).calibrated == 3


def test_cyclegans_that_trials_share_are_priced_once(calibrated):
    data = {"dataset": "digits_9v5", "imbalance_factor": 10, "n_max": 60}
    plain, weighted, other = (
        tiny_spec(method, data=data) for method in ("joint_aug", "joint_aug[minority_beta=0.9]", "joint_aug[gan_lr=0.001]")
    )
    classifier = tiny_spec("joint_aug[gan_length=0]", data=data)
    both, apart = (cost.Prices().estimate([plain, one]).seconds for one in (weighted, other))
    assert apart == 2 * cost.work(plain)
    assert both == pytest.approx(cost.work(plain) + cost.work(classifier), rel=0.02), "but for when it is evaluated"


def test_a_first_stage_is_priced_once_though_it_is_also_a_trial_of_its_own(calibrated):
    softmax, *two_stages = (tiny_spec(method) for method in ("softmax", "crt", "tau_norm"))
    alone = cost.Prices().estimate(two_stages).seconds
    assert cost.Prices().estimate([softmax, *two_stages]).seconds == alone > cost.work(softmax)
