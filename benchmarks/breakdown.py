"""What bounds a training step of lt_core: the time of each of its parts."""

from __future__ import annotations

import itertools
import time

import torch
from common import Spread

from lt_core.training.loop import Training


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def step_milliseconds(training: Training, device: torch.device, steps: int = 12) -> dict[str, float]:
    """Milliseconds of each part of a step: the median over ``steps`` steps, after two to warm up.

    This waits for the device after each part, which the loop itself never does, so on a GPU the sum is longer than a step.
    """
    parts: dict[str, list[float]] = {"batch": [], "forward": [], "backward": [], "optimiser": []}
    order = torch.randperm(len(training.batches.labels), generator=training.order, device=device)
    training.model.train()
    for positions in order.split(training.recipe.batch_size)[: steps + 2]:
        marks = [time.perf_counter()]

        def mark(marks: list[float] = marks) -> None:
            synchronise(device)
            marks.append(time.perf_counter())

        images, labels = training.batches.train(positions, training.augment)
        mark()
        loss = training.loss_of(training.outputs(images), labels).mean()
        mark()
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        mark()
        training.optimizer.step()
        mark()
        for name, (start, end) in zip(parts, itertools.pairwise(marks), strict=True):
            parts[name].append(1000 * (end - start))
    return {name: Spread(tuple(values[2:])).median for name, values in parts.items()}
