"""What must hold for all stages."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import torch

from lt_core.features import probabilities_of
from lt_core.spec import TrialSpec
from lt_core.stages import Stages, stages_of
from lt_core.testing.check import check, expect, label_with, methods_with
from lt_core.testing.trials import CPU, fitting_spec, split_of
from lt_core.trained import load, save
from lt_core.training.trial import stage_context


def spec_with(stages: type[Stages]) -> TrialSpec:
    """A trial that has the stages, of a method that has them, or of softmax."""
    return fitting_spec(next(iter(methods_with("stages", stages.name)), label_with("stages", stages.name)))


@check("stages")
def it_ends_with_a_classifier(stages: type[Stages]) -> None:
    """It makes at least one training, and the last is of a classifier that is evaluated."""
    spec, last = spec_with(stages), None
    for last in stages_of(spec).trainings(stage_context(spec, split_of([16, 8, 4]), CPU)):
        for _ in range(last.training.epochs):
            last.training.run_epoch()
    expect(last is not None, "it makes no training at all")
    expect(last and last.evaluate, "its last training is not evaluated, and so there are no figures")


@check("stages")
def its_weights_are_read_back(stages: type[Stages]) -> None:
    """Kept weights are read into the network that it says its last training leaves, and predict the same."""
    spec, split = spec_with(stages), split_of([16, 8, 4])
    last = None
    for last in stages_of(spec).trainings(stage_context(spec, split, CPU)):
        for _ in range(last.training.epochs):
            last.training.run_epoch()
    assert last is not None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kept.safetensors"
        classifier = load(file, save(spec, last, file))
    there = last.features_by.split.test if last.features_by else last.classifier.split.test
    same = torch.equal(classifier(there.pixels), probabilities_of(last.classifier, last.classifier.split.test))
    expect(same, "the network that was read predicts otherwise: `network` is of another form than what is trained")


@check("stages")
def it_says_what_it_costs(stages: type[Stages]) -> None:
    """Its epochs are a whole number from 0 on, and its work, by which `plan` prices it, is above 0 if there are epochs."""
    spec = spec_with(stages)
    made = stages_of(spec)
    epochs, work = made.epochs(spec), made.work(spec, 1000)
    expect(isinstance(epochs, int) and epochs >= 0, f"it counts {epochs!r} epochs")
    expect(math.isfinite(work) and work >= 0 and (work or not epochs), f"its work is {work!r}, and its epochs are {epochs}")
