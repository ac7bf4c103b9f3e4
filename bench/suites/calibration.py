"""What a unit of work costs on this machine, estimated before anything has run, by timing a few steps of a network or by counting
its operations.
"""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from lt_core.data.sets import DATASETS
from lt_core.spec import TrialSpec

if TYPE_CHECKING:
    import torch

    from lt_core.training.loop import Training

_STEPS = 3  # measured steps of a calibration, after one to warm up
_STEP_SECONDS = 1.0  # about the longest step of a calibration, in which a large network gets fewer images than in a trial
_LARGE = 128  # with pictures of this many pixels per side or more, steps are so slow that operations are counted instead


def is_large(spec: TrialSpec) -> bool:
    """Whether a trial's pictures are so large that its cost relative to another trial follows from `operations`."""
    return seen_at(spec)[0] >= _LARGE


def operations(spec: TrialSpec) -> float:
    """Floating-point operations in a unit of `work`: a third of those for one image in training, forward and backward, with
    gradients only for what is trained. They are counted without computing anything.
    """
    return _counted(spec.recipe.model, seen_at(spec), DATASETS[spec.data.dataset].classes) / 3


def seen_at(spec: TrialSpec) -> tuple[int, int, int]:
    """Height, width and channels of the input of a trial's network."""
    from lt_core.models import seen_shape

    return seen_shape(spec.recipe.model, spec.recipe.network_shape(DATASETS[spec.data.dataset].image_shape))


@lru_cache(maxsize=256)
def _counted(model: str, shape: tuple[int, int, int], classes: int) -> float:
    from lt_core.models import build_model
    from lt_core.models.flops import training_flops
    from lt_core.models.heads import LinearHead

    return training_flops(lambda: build_model(model, shape, classes, LinearHead()), shape)


def training_on_noise(spec: TrialSpec, device: torch.device, batch: int, steps: int) -> Training:
    """Plain training of the network of ``spec`` on noise, in epochs of ``steps`` steps. It needs neither data nor weights."""
    import torch

    from lt_core.data.loader import Images, Split
    from lt_core.methods import resolve
    from lt_core.models import seen_shape
    from lt_core.pretrained.weights import left_out
    from lt_core.training.loop import Training

    info = DATASETS[spec.data.dataset]
    shape = seen_shape(spec.recipe.model, info.image_shape)
    labels = torch.arange(batch * steps, device=device) % info.classes
    noise = Images(torch.randint(0, 256, (len(labels), *shape), dtype=torch.uint8, device=device), labels)
    counts = torch.full((info.classes,), float(len(labels) / info.classes), dtype=torch.float64, device=device)
    recipe = replace(spec.recipe, steps=steps, batch_size=batch, micro_batch=0)
    with left_out():
        plain = replace(spec, method=resolve("softmax"), recipe=recipe)
        return Training(plain, Split(noise, noise, noise, counts, shape), device)


def calibrate(spec: TrialSpec) -> float:
    """Seconds per unit of `work`, from a few training steps of the model on noise."""
    import torch

    from lt_core.training.runtime import Runtime

    runtime = Runtime()
    runtime.prepare()
    device = runtime.torch_device()

    def seconds(batch: int, steps: int) -> float:
        """Seconds per image in ``steps`` steps of plain training. A method's additional cost is part of its `work`."""
        training = training_on_noise(spec, device, batch, steps)
        # With one thread on a CPU, its own time, as if no other process took turns with it.
        clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
        start = clock()
        training.run_epoch()
        each = (clock() - start) / training.images_seen
        del training
        gc.collect()  # it refers to itself: without this, 27 cells with ResNets leave 10 GB
        return each

    few = min(2, spec.recipe.batch_size)
    seconds(few, 1)
    batch = max(few, min(spec.recipe.batch_size, int(_STEP_SECONDS / seconds(few, 1))))
    if batch > few:
        seconds(batch, 1)  # warm up
    return seconds(batch, _STEPS) / 3.0
