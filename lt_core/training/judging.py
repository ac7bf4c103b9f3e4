"""The judge of generated images: a trial's network and recipe, trained on balanced real images and shared by a run's trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from lt_core.data.loader import Images
from lt_core.data.sets import DATASETS
from lt_core.data.trial_images import draw_images
from lt_core.declaration import resolve
from lt_core.features import seen_of
from lt_core.generation.scores import Judge
from lt_core.protocols import TrainableClassifier
from lt_core.spec import DataSpec, TrialSpec
from lt_core.training import checkpoint
from lt_core.training.evaluate import evaluate
from lt_core.training.runtime import Runtime

#: Images of each class that a judge is trained on at most, which changes nothing on MNIST, Fashion-MNIST and CIFAR-10. Of
#: CelebA's smaller class there are 68,261: with as many, the judge would cost more than a trial of AUG, CycleGANs included.
MOST_EACH = 6_000


def judges_trial(spec: TrialSpec) -> TrialSpec:
    """The trial that trains the judge of ``spec``: cross-entropy on as many images of each class as the smallest class has, but
    not more than `MOST_EACH`.
    """
    each = min(MOST_EACH, *DATASETS[spec.data.dataset].train_counts)
    return replace(spec, data=DataSpec(spec.data.dataset, n_max=each), method=resolve("softmax"), seed=0)


def judge(spec: TrialSpec, runtime: Runtime, kind: str, made: Callable[..., TrainableClassifier], device: torch.device) -> Judge:
    """The judge of the images that ``spec`` makes, from the folder of shared stages if it is there, else trained now.

    Args:
        kind: of this device, as `runtime.kind_of_device` says it.
        made: `lt_core.training.loop.Training`.
    """
    own = judges_trial(spec)
    images = draw_images(own.data, device, runtime.data_dir)
    split, origin = images.split, checkpoint.Origin(own.trial_id, kind, images.version)
    training = made(own, split, device)
    if runtime.stages:
        with checkpoint.held(Path(runtime.stages), f"{own.trial_id}.{kind}", True) as file:
            stored = checkpoint.load(file, origin)
            if stored is None:
                _train(training)
                checkpoint.save(file, origin, {"training": training.state()})
            else:
                training.restore(stored["training"])
    else:
        _train(training)

    def say(pixels: Tensor) -> tuple[Tensor, Tensor]:
        return seen_of(training, Images(pixels, pixels.new_zeros(len(pixels), dtype=torch.int64)))

    recipe = own.recipe
    about = f"{recipe.model}, {recipe.epochs} epochs on {min(split.counts.tolist()):g} real images of each class"
    return Judge(say, evaluate(training, split.test).accuracy, about)


def _train(training: TrainableClassifier) -> None:
    while training.epoch < training.epochs:
        training.run_epoch()
