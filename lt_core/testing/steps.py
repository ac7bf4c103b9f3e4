"""What must hold for every step."""

from __future__ import annotations

import random

import numpy as np
import torch

from lt_core.identity import NEUTRAL
from lt_core.methods import METHODS
from lt_core.steps import Step
from lt_core.testing.check import check, expect
from lt_core.testing.trials import VALIDATED, first_training, fitting_spec, split_of, weights_of
from lt_core.training.loop import Training


def training_of(step: type[Step], seed: int = 0) -> Training:
    """A training that uses the step from its first epoch on, of a method that declares it or else of softmax."""
    methods = [name for name in METHODS if METHODS[name].choices()["step"] == step.name]
    one_training = [name for name in methods if METHODS[name].choices()["stages"] == NEUTRAL["stages"]]
    name, at = (one_training or methods or ["softmax"])[0], {"step": step.name, "schedule": NEUTRAL["schedule"], "stages": "one"}
    spec = fitting_spec(name, at, VALIDATED, seed, batch_size=8)
    return first_training(spec, split_of([16, 8, 4]))


@check("step")
def its_loss_is_a_scalar_to_descend(step: type[Step]) -> None:
    """Its loss is a finite scalar whose gradient reaches the network's weights."""
    training = training_of(step)
    training.train_mode()
    loss = training.step(torch.arange(0, 28, 3))
    expect(loss.dim() == 0 and loss.isfinite(), f"the loss of a batch is {loss}, not a finite scalar")
    expect(loss.requires_grad, "the loss of a batch has no gradient")
    loss.backward()
    reached = [p for p in training.model.parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    expect(reached, "the gradient reaches no weight of the network")


@check("step")
def it_draws_from_the_trainings_generators(step: type[Step]) -> None:
    """It draws only from the training's own generators, so that nothing else in the process affects it."""
    found = []
    for seed in (1, 2):
        training = training_of(step)
        for seeded in (torch.manual_seed, np.random.seed, random.seed):  # a training seeds torch's by itself
            seeded(seed)
        training.run_epoch()
        found.append(weights_of(training.model))
    expect(torch.equal(*found), "the same training ends with different weights if the global generators have other seeds")


@check("step")
def it_goes_on_from_its_state(step: type[Step]) -> None:
    """A training that is stopped after an epoch and continued from its state ends with the same weights, to the bit."""
    straight = training_of(step)
    straight.run_epoch()
    stopped = training_of(step)
    stopped.run_epoch()
    state = stopped.state()
    resumed = training_of(step)
    resumed.restore(state)
    straight.run_epoch()
    resumed.run_epoch()
    expect(
        torch.equal(weights_of(straight.model), weights_of(resumed.model)),
        "continued from its state(), it ends with different weights than without a stop",
    )
