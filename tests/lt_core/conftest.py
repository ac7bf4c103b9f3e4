"""Tiny trials and splits made by hand."""

from __future__ import annotations

import dataclasses

import pytest

from lt_core.fields import build
from lt_core.spec import DataSpec, TrialSpec


@pytest.fixture(scope="session")
def make_spec():
    """A trial of a few epochs on 240 digits (imbalance factor 10); keywords change the recipe."""

    def make(method="softmax", at=None, data=None, seed=0, **recipe):
        from lt_core.methods import resolve
        from lt_core.recipes import RECIPES

        drawn = {"dataset": "digits", **(data or {"imbalance_factor": 10, "n_max": 60})}
        changed = dataclasses.replace(RECIPES["digits"], **{"epochs": 3, "warmup_epochs": 1, **recipe})
        return TrialSpec(build(DataSpec, drawn), resolve(method, at), changed, seed)

    return make


@pytest.fixture(scope="session")
def fitting_spec(make_spec):
    """As `make_spec`, with unlabelled images and averaged weights for a method that cannot do without, two generations
    of a method that has them, since a third repeats the second, and small networks for one that makes images.
    """

    def make(method, at=None, data=None, seed=0, semi=None, **recipe):
        from lt_core.methods import METHODS

        drawn = data or {"imbalance_factor": 10, "n_max": 60}
        if METHODS[method].family == "semi_supervised" if semi is None else semi:
            drawn, recipe = {"label_fraction": 0.5, **drawn}, {"ema": 0.9, **recipe}
        if "generations" in METHODS[method].domains():
            at = {"generations": 2, **(at or {})}
        if "gan_width" in METHODS[method].domains():
            at = {"gan_width": 4, "gan_blocks": 1, "gan_batch": 32, **(at or {})}
        return make_spec(method, at, drawn, seed, **recipe)

    return make


@pytest.fixture(scope="session")
def make_split():
    """A split of 8×8 grey images, each class a patch of its own in noise; all its parts are the training images."""

    def make(counts, noise=40):
        import torch

        from lt_core.data.loader import Images, Split

        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        patterns = torch.randint(0, 256 - noise, (len(counts), 8, 8, 1), generator=generator)
        pixels = patterns[labels] + torch.randint(0, noise, (len(labels), 8, 8, 1), generator=generator)
        images = Images(pixels.to(torch.uint8), labels)
        return Split(images, images, images, torch.tensor(counts, dtype=torch.float64), (8, 8, 1), images.pixels, images)

    return make


@pytest.fixture(scope="session")
def figures():
    """All that was measured in a trial, without what depends on the clock and the machine."""

    def of(result):
        record = result.to_record()
        kept = ("status", "cause", "train_counts", "confusion", "calibration", "validation_confusion", "curve")
        return {key: record[key] for key in kept}

    return of


@pytest.fixture(scope="session")
def extreme_logits():
    """Every pattern of ±10⁴ and 0 over three classes, each with every label: ([81, 3], [81])."""
    import torch

    values = torch.tensor([-1e4, 0.0, 1e4])
    return torch.cartesian_prod(values, values, values).repeat(3, 1), torch.arange(3).repeat_interleave(27)


@pytest.fixture(scope="session")
def train():
    """Takes all trainings of a trial through their epochs on a split made by hand: the last one, and all losses."""

    def through(spec, split):
        import torch

        from lt_core.stages import stages_of
        from lt_core.training.trial import stage_context

        training, losses = None, []
        for stage in stages_of(spec).trainings(stage_context(spec, split, torch.device("cpu"))):
            training = stage.training
            losses += [training.run_epoch() for _ in range(training.epochs)]
        return training, losses

    return through
