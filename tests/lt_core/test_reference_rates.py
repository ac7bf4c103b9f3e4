"""Learning rates of the first ten steps, and of every epoch's first, against the schedules of the public code, at the length of
each recipe and at 40 epochs.

- cifar_ldam: kaidic/LDAM-DRW cifar_train.py (adjust_learning_rate) @ 2536330
- cifar_cb: richardaecn/class-balanced-loss src/cifar_main.py and its scripts' multipliers @ 1d78572
- cifar_crest: google-research/crest util/scheduler.py (half_cosine_annealing_lr, level 1) @ e270139
- cifar_fixmatch: google-research/fixmatch fixmatch.py @ d4985a1
- cifar_bisampling: TACJu/Bi-Sampling fix_train.py @ bcdae91; cifar_abc: LeeHyuck/ABC ABCfix.py @ f70e926
- mnist_mlp: the example as printed, two epochs of Adam
"""

from __future__ import annotations

import dataclasses
import math

import pytest

from lt_core.recipes import RECIPES
from lt_core.training.optim import learning_rate

IMAGES = 12_406  # CIFAR-10 at imbalance factor 100


def ldam(step, epochs, per_epoch):
    """Epochs from 1: a fifth of the rate more in each of the first five; 0.01 of it behind 160 of 200, 0.0001 behind 180."""
    epoch = step // per_epoch + 1
    if epoch <= 5:
        return 0.1 * epoch / 5
    return 0.1 * (0.0001 if epoch > 0.9 * epochs else 0.01 if epoch > 0.8 * epochs else 1)


def class_balanced(step, epochs, per_epoch):
    """From 0, evenly in steps, over five epochs of images; then multipliers 1, 0.01 and 0.0001."""
    epoch = step * 128 / IMAGES
    if epoch < 5:
        return 0.1 * epoch / 5
    return 0.1 * (0.0001 if epoch >= 0.9 * epochs else 0.01 if epoch >= 0.8 * epochs else 1)


def crest(step, epochs, per_epoch):
    return 0.03 * math.cos(math.pi * step / (epochs * per_epoch) * 1 / 16)


def fixmatch(step, epochs, per_epoch):
    return 0.03 * math.cos(step / (epochs * per_epoch) * (7 * math.pi) / (2 * 8))


REFERENCES = {
    "cifar_ldam": ldam,
    "cifar_cb": class_balanced,
    "cifar_crest": crest,
    "cifar_fixmatch": fixmatch,
    "cifar_bisampling": lambda step, epochs, per_epoch: 0.002,
    "cifar_abc": lambda step, epochs, per_epoch: 0.002,
    "mnist_mlp": lambda step, epochs, per_epoch: 0.001,
}


def test_every_recipe_of_a_paper_is_held_here():
    ours = {"digits", "digits_semi", "frozen"}
    missing = set(RECIPES) - ours - set(REFERENCES)
    assert not missing, f"{missing}: add the public code's rates to REFERENCES, or the recipe's name to `ours`"


@pytest.mark.parametrize("epochs", [None, 40], ids=["own length", "40 epochs"])
@pytest.mark.parametrize("name", list(REFERENCES))
def test_rates_are_the_public_codes(name, epochs):
    recipe = dataclasses.replace(RECIPES[name], **({"epochs": epochs} if epochs else {}))
    images = recipe.steps * recipe.batch_size or IMAGES
    per_epoch = math.ceil(images / recipe.batch_size)

    def ours(step):
        epoch, place = divmod(step, per_epoch)
        return learning_rate(recipe, epoch, place * recipe.batch_size / images)

    def theirs(step):
        return REFERENCES[name](step, recipe.epochs, per_epoch)

    for step in range(10):
        assert ours(step) == pytest.approx(theirs(step), rel=1e-12, abs=1e-15), f"step {step}"
    for epoch in range(recipe.epochs):
        # One step in: at a boundary, images counted by steps and by epochs differ by part of a batch.
        assert ours(epoch * per_epoch + 1) == pytest.approx(theirs(epoch * per_epoch + 1), rel=2e-3), f"epoch {epoch}"
