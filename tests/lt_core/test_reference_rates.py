"""Learning rates of the first ten steps, and of the first step of every epoch, compared with the schedules of the public code,
with each recipe's number of epochs and with fewer.

- cifar_ldam: kaidic/LDAM-DRW cifar_train.py (adjust_learning_rate) @ 2536330
- cifar_cb: richardaecn/class-balanced-loss src/cifar_main.py and its scripts' multipliers @ 1d78572
- cifar_crest: google-research/crest util/scheduler.py (half_cosine_annealing_lr, level 1) @ e270139
- cifar_fixmatch: google-research/fixmatch fixmatch.py @ d4985a1
- cifar_bisampling: TACJu/Bi-Sampling fix_train.py @ bcdae91; cifar_abc: LeeHyuck/ABC ABCfix.py @ f70e926
- cui_large, cui_ilsvrc: richardaecn/class-balanced-loss tpu/models/official/resnet/resnet_main.py and its scripts @ 0ab6eb7
- imagenet_lt_90, inat_90: facebookresearch/classifier-balancing run_networks.py and its configs @ 22370c6, with PyTorch 0.4.1's
  scheduler: a step before each epoch, the first of which is to epoch 0
- places_lt_90: dvlab-research/MiSLAS train_stage1.py (adjust_learning_rate) @ 0fc381e
- mnist_mlp: the example as printed, two epochs of Adam
"""

from __future__ import annotations

import dataclasses
import math

import pytest

from lt_core.recipes import RECIPES
from lt_core.training.optim import learning_rate

IMAGES = 12_406  # CIFAR-10 at imbalance factor 100
ILSVRC = 1_281_167  # training images for recipes for photographs


def ldam(step, epochs, per_epoch):
    """With epochs from 1: the rate grows by a fifth in each of the first five, is 0.01 of it after 160 of 200, and 0.0001 after
    180.
    """
    epoch = step // per_epoch + 1
    if epoch <= 5:
        return 0.1 * epoch / 5
    return 0.1 * (0.0001 if epoch > 0.9 * epochs else 0.01 if epoch > 0.8 * epochs else 1)


def class_balanced(step, epochs, per_epoch):
    """The rate grows from 0 linearly in steps over five epochs of images; then the multipliers are 1, 0.01 and 0.0001."""
    epoch = step * 128 / IMAGES
    if epoch < 5:
        return 0.1 * epoch / 5
    return 0.1 * (0.0001 if epoch >= 0.9 * epochs else 0.01 if epoch >= 0.8 * epochs else 1)


def crest(step, epochs, per_epoch):
    return 0.03 * math.cos(math.pi * step / (epochs * per_epoch) * 1 / 16)


def fixmatch(step, epochs, per_epoch):
    return 0.03 * math.cos(step / (epochs * per_epoch) * (7 * math.pi) / (2 * 8))


def on_tpu(base):
    """The rate, which is for 256 images, grows from 0 linearly in steps over five epochs; then it is divided by ten after 30, 60
    and 80 of 90 epochs.
    """

    def rate(step, epochs, per_epoch):
        epoch, scaled = step * 1024 / ILSVRC, base * 1024 / 256
        if epoch < 5:
            return scaled * epoch / 5
        return scaled * 0.1 ** sum(epoch >= epochs * start / 90 for start in (30, 60, 80))

    return rate


def once_an_epoch(base):
    """Half a cosine from the rate to 0, once per epoch: `CosineAnnealingLR`, or MiSLAS's `adjust_learning_rate`."""
    return lambda step, epochs, per_epoch: base * (1 + math.cos(math.pi * (step // per_epoch) / epochs)) / 2


REFERENCES = {
    "cifar_ldam": ldam,
    "cifar_cb": class_balanced,
    "cifar_crest": crest,
    "cifar_fixmatch": fixmatch,
    "cifar_bisampling": lambda step, epochs, per_epoch: 0.002,
    "cifar_abc": lambda step, epochs, per_epoch: 0.002,
    "cui_large": on_tpu(0.4),
    "cui_ilsvrc": on_tpu(0.2),
    "imagenet_lt_90": once_an_epoch(0.2),
    "inat_90": once_an_epoch(0.2),
    "places_lt_90": once_an_epoch(0.1),
    "mnist_mlp": lambda step, epochs, per_epoch: 0.001,
}


def test_every_recipe_of_a_paper_is_held_here():
    ours = {"digits", "digits_semi", "frozen", "photos_scratch", "photos_last_block", "photos_pair"}
    missing = set(RECIPES) - ours - set(REFERENCES)
    assert not missing, f"{missing}: add the public code's rates to REFERENCES, or the recipe's name to `ours`"


@pytest.mark.parametrize("shorter", [False, True], ids=["own length", "shorter"])
@pytest.mark.parametrize("name", list(REFERENCES))
def test_rates_are_the_public_codes(name, shorter):
    recipe = RECIPES[name]
    if shorter:  # so that milestones are whole epochs
        recipe = dataclasses.replace(recipe, epochs=45 if recipe.crop else 40)
    images = recipe.steps * recipe.batch_size or (ILSVRC if recipe.crop else IMAGES)
    per_epoch = math.ceil(images / recipe.batch_size)

    def ours(step):
        epoch, place = divmod(step, per_epoch)
        return learning_rate(recipe, epoch, place * recipe.batch_size / images)

    def theirs(step):
        return REFERENCES[name](step, recipe.epochs, per_epoch)

    for step in range(10):
        assert ours(step) == pytest.approx(theirs(step), rel=1e-12, abs=1e-15), f"step {step}"
    for epoch in range(recipe.epochs):
        # One step later, because at a boundary, counting images by steps and by epochs differs by part of a batch.
        assert ours(epoch * per_epoch + 1) == pytest.approx(theirs(epoch * per_epoch + 1), rel=2e-3), f"epoch {epoch}"
