"""What must be true of everything that is registered. No names are listed here: registering a method or part is enough to test
it.

The checks are those of `lt_core.testing`, which authors of plug-in files also run; test_testing.py shows that each can fail.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.methods import METHODS, Neutral, method
from lt_core.metrics import METRICS
from lt_core.parts import GROUPS, part
from lt_core.posthoc import Posthoc
from lt_core.testing import CHECKS, REGISTRIES, cases, parametrize_with_checks
from lt_core.testing.metrics import COUNTS
from lt_core.testing.trials import first_training

#: Networks with the same code as smaller ones, but more layers.
LONG = ("resnet44", "resnet56", "resnet110")
NAMES = {kind: [name for name in registry if name not in LONG] for kind, registry in REGISTRIES.items()}
NAMES["dataset"] = ["digits"]  # the only set that every machine has
NAMES["model"] += ["resnet18", "mobilenet_v3_small", "timm/test_convnext"]  # examples of those that are not registered one by one


@parametrize_with_checks(**NAMES)
def test_it_holds(check):
    check()


def test_every_check_is_made_of_something():
    made = {case.check for case in cases((kind, name) for kind, names in NAMES.items() for name in names)}
    assert made == {check for checks in CHECKS.values() for check in checks}


def test_metrics_of_ours_that_no_clock_measures_are_shares():
    """They count predictions, so everything that is checked for shares applies to them."""
    assert [metric.name for metric in METRICS.values() if not metric.measured and metric.unit != "%"] == []
    assert all(metric.applies(counts) for metric in METRICS.values() if metric.measured for counts in COUNTS)


@pytest.mark.parametrize("name", list(METHODS))
def test_no_method_is_spared_being_compared_with_a_plainer_one(name):
    """A method is compared at its neutral point, or with softmax if it has none. For softmax itself, see below."""
    made = {case.check.name for case in cases([("method", name)])}
    at_its_point = {"it_is_the_plainer_method_at_its_neutral_point", "it_is_another_away_from_it"}
    assert made & (at_its_point | {"it_is_not_softmax_as_it_says"}) in (
        [set()] if name == "softmax" else [at_its_point, {"it_is_not_softmax_as_it_says"}]
    )


def test_softmax_is_plain_cross_entropy_to_the_bit(make_spec, make_split):
    training = first_training(make_spec("softmax"), make_split([9, 5, 1]))
    positions = torch.tensor([14, 0, 9, 3])
    before = training.augment.get_state()
    loss = training.step(positions)
    training.augment.set_state(before)  # so that the crops are the same again
    images, labels = training.images(positions)
    assert torch.equal(loss, F.cross_entropy(training.model(images), labels, reduction="none").mean())


@pytest.mark.parametrize("name", list(METHODS))
def test_a_choice_that_does_not_exist_is_refused_by_name(name):
    for group in GROUPS:
        with pytest.raises(UserError, match=f"unknown {group} 'nonsense'"):
            METHODS[name].resolve({group: "nonsense"})
    with pytest.raises(UserError, match="unknown parameter 'nonsense'"):
        METHODS[name].resolve({"nonsense": 1})


def test_a_parameter_that_another_group_has_is_refused():
    class Taken(Posthoc):
        gamma: float = param(0.5, "the name of the focusing of focal loss", low=0)

    known = list(GROUPS["posthoc"])
    with pytest.raises(UserError, match="posthoc taken and loss focal both have a parameter gamma: rename one"):
        part("posthoc", "taken")(Taken)
    assert list(GROUPS["posthoc"]) == known


def test_a_declaration_that_names_what_its_parts_lack_is_refused():
    declare = partial(method, "wrong", "family", "about", "cite", loss="focal")
    with pytest.raises(UserError, match="wrong: space names the parameter beta, which none of its parts has"):
        declare(space=("gamma", "beta"), neutral=Neutral({"gamma": 0.0}, equals="sigmoid"))
    with pytest.raises(UserError, match="unknown parameter 'gama'"):
        declare(neutral=Neutral({"gama": 0.0}))
    with pytest.raises(UserError, match="unknown parameter 'gama'"):
        declare(gama=2.0, neutral=Neutral({"gamma": 0.0}, equals="sigmoid"))
    assert "wrong" not in METHODS
