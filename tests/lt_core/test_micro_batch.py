"""Batches that are computed in parts: the step is the same, for networks that treat every image separately."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from lt_core.errors import UserError
from lt_core.recipes import RECIPES
from lt_core.stages import check_trial
from lt_core.testing.trials import first_training, fitting_spec, split_of, tiny_spec, trained, weights_of

COUNTS = (30, 20, 10)
#: The largest difference that the order of sums may make in float32.
TOLERANCE = 1e-5
CROPPED = {"pad": 0, "crop": 6, "crop_area": (0.5, 1.0), "flip": True, "jitter": (0.4, 0.4, 0.4)}
METHODS = ("softmax", "cb_focal", "ldam_drw", "ce_drw", "over_sampling", "influence_balanced", "logit_adjusted", "crt")


def both(method, parts, **recipe):
    """Weights and losses of whole batches of 16 (the last of an epoch has 12), and of batches in parts."""
    shared = {"model": "mlp", "batch_size": 16, "epochs": 4, **recipe}
    for micro_batch in (0, parts):
        training, losses = trained(tiny_spec(method, micro_batch=micro_batch, **shared), split_of(COUNTS))
        yield weights_of(training.evaluated), torch.tensor(losses)


@pytest.mark.parametrize("parts", [8, 5])
@pytest.mark.parametrize("method", METHODS)
def test_parts_make_the_step_of_the_whole_batch(method, parts):
    """This includes crops, because each image has random numbers of its own."""
    (weights, losses), (others, theirs) = both(method, parts, **CROPPED)
    torch.testing.assert_close(others, weights, rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(theirs, losses, rtol=TOLERANCE, atol=TOLERANCE)


def test_momenta_and_averages_move_once_a_batch():
    for optimizer, lr in (("adam", 1e-3), ("sgd", 0.05)):
        (weights, _), (others, _) = both("softmax", 4, pad=0, optimizer=optimizer, lr=lr, ema=0.9, shrink=1e-4)
        torch.testing.assert_close(others, weights, rtol=1e-4, atol=1e-4)


def test_a_network_is_given_parts_alone():
    training = first_training(tiny_spec(batch_size=16, micro_batch=6), split_of(COUNTS))
    given, forward = [], training.forward
    training.forward = lambda images, labels=None: given.append(len(images)) or forward(images, labels)
    training.run_epoch()
    assert given == [6, 6, 4] * 3 + [6, 6]


def test_batch_norm_sees_a_part():
    """Therefore the figures differ, and so does the id."""
    whole, parts = (tiny_spec(batch_size=16, micro_batch=size) for size in (0, 8))
    assert whole.trial_id != parts.trial_id
    one, other = (weights_of(trained(spec, split_of(COUNTS))[0].model) for spec in (whole, parts))
    assert (one - other).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("mixup", r"needs more than the mean loss of a batch \(step mixup\)"),
        ("fixmatch", r"needs more than the mean loss of a batch \(step fixmatch\)"),
        ("range_loss", r"compares the features of a batch \(regularizer range\)"),
        ("influence_balanced[mean=weights]", r"divides by weights that depend on the network's outputs \(weights influence\)"),
        ("large_margin_softmax", r"counts its steps by batches \(head large_margin\)"),
    ],
)
def test_what_needs_a_whole_batch_says_so(method, why):
    spec = fitting_spec(method, batch_size=16)
    check_trial(spec)
    with pytest.raises(UserError, match=why + ", but recipe digits computes batches in parts of 8: set micro_batch to 0"):
        check_trial(dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, micro_batch=8)))


def test_a_part_is_smaller_than_the_batch():
    with pytest.raises(UserError, match="micro_batch=64 must be less than batch_size=64: lower it, or set it to 0"):
        dataclasses.replace(RECIPES["digits"], micro_batch=64)
