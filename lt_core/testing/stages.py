"""What must hold for all stages."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import torch

from lt_core.features import probabilities_of
from lt_core.labels import counted
from lt_core.spec import TrialSpec
from lt_core.stages import Stages, stages_of
from lt_core.testing.check import check, expect, label_with, methods_with
from lt_core.testing.trials import CPU, fitting_spec, split_of
from lt_core.trained import load, save
from lt_core.training.running import stage_context


def spec_with(stages: type[Stages]) -> TrialSpec:
    """A trial with these stages, of a method that uses them or else of softmax."""
    return fitting_spec(next(iter(methods_with("stages", stages.name)), label_with("stages", stages.name)))


@check("stages")
def it_ends_with_a_classifier(stages: type[Stages]) -> None:
    """It makes at least one training, and the last one trains a classifier that is evaluated."""
    spec, last = spec_with(stages), None
    for last in stages_of(spec).trainings(stage_context(spec, split_of([16, 8, 4]), CPU)):
        for _ in range(last.training.epochs):
            last.training.run_epoch()
    expect(last is not None, "it makes no training at all")
    expect(last and last.evaluate, "its last training is not evaluated, so there are no figures")


@check("stages")
def its_weights_are_read_back(stages: type[Stages]) -> None:
    """Weights that were kept can be read into the network that it declares, and give the same predictions."""
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
    expect(same, "the network that was read back predicts differently: `network` does not have the form of the trained one")


@check("stages")
def it_says_what_it_costs(stages: type[Stages]) -> None:
    """Its number of epochs is a whole number, and its work, by which `plan` prices it, is positive if there are epochs."""
    spec = spec_with(stages)
    made = stages_of(spec)
    epochs, work = made.epochs(spec), made.work(spec, 1000)
    expect(isinstance(epochs, int) and epochs >= 0, f"its number of epochs is {epochs!r}")
    priced = math.isfinite(work) and work >= 0 and (work or not epochs)
    expect(priced, f"its work is {work!r}, but it has {counted(epochs, 'epoch')}")
