"""The training loop: the parts of a method, put together, epoch by epoch."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

import lt_core.methods  # noqa: F401  (registers every part, those of other packages too)
from lt_core.data.loader import Batches, Split
from lt_core.losses import Loss
from lt_core.models import build_model
from lt_core.models.heads import Head
from lt_core.parts import build_parts
from lt_core.posthoc import Posthoc
from lt_core.sampling import Instance, Sampling
from lt_core.schedule import Schedule
from lt_core.spec import TrialSpec
from lt_core.training.optim import learning_rate, make_optimizer
from lt_core.training.runtime import autocast_dtype
from lt_core.weights import Weights


class Training:
    """The state of one trial in training: model, optimiser, generators. `run_epoch` moves it on by one epoch.

    Randomness comes from two generators of the trial's own, one for the order of images and one for augmentation,
    so that nothing else in the process can shift it.
    """

    def __init__(self, spec: TrialSpec, split: Split, device: torch.device) -> None:
        self.spec, self.recipe, self.split, self.device = spec, spec.recipe, split, device
        parts = build_parts(spec.method.params, spec.method.name)
        self.loss, self.posthoc = cast(Loss, parts["loss"]), cast(Posthoc, parts["posthoc"])
        self.sampling, self.schedule = cast(Sampling, parts["sampling"]), cast(Schedule, parts["schedule"])
        self.weights = cast(Weights, parts["weights"])

        classes = len(split.counts)
        model = build_model(self.recipe.model, split.shape, classes, cast(Head, parts["head"]), spec.seed)
        self.model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(self.recipe, self.model, self._prior_bias(classes))
        self.dtype = autocast_dtype(self.recipe.precision, device)
        self.batches = Batches(split.train, self.recipe)
        self.order = torch.Generator(device).manual_seed(2 * spec.seed)
        self.augment = torch.Generator(device).manual_seed(2 * spec.seed + 1)

        self.loss_of = self.loss.bind(split.counts.float())
        self.class_weights = self.weights.bind(split.counts).float()
        self.epoch = 0

    def _prior_bias(self, classes: int) -> list[nn.Parameter]:
        """Start one-versus-all losses at probability 1/C for every class, and spare that bias from weight decay."""
        bias = getattr(self.model.classifier, "bias", None)
        if not self.loss.prior_bias or bias is None:
            return []
        nn.init.constant_(bias, -math.log(classes - 1))
        return [bias]

    def outputs(self, images: Tensor) -> Tensor:
        """The network's outputs in float32 for normalised images: [B, C]."""
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            return self.model(images).float()

    def run_epoch(self) -> float:
        """Train one epoch; returns its mean weighted loss. The only wait for the device is at the end."""
        rebalanced = self.schedule.rebalances(self.epoch, self.recipe.epochs)
        sampling = self.sampling if rebalanced else Instance()
        class_weights = self.class_weights if rebalanced else torch.ones_like(self.class_weights)
        progress = self.schedule.progress(self.epoch, self.recipe.epochs)
        order = sampling.epoch(self.split.train.labels, self.split.counts, self.order, progress)

        self.model.train()
        total = torch.zeros((), device=self.device)
        for start in range(0, len(order), self.recipe.batch_size):
            self._set_rate(learning_rate(self.recipe, self.epoch, start / len(order)))
            positions = order[start : start + self.recipe.batch_size]
            images, labels = self.batches.train(positions, self.augment)
            loss = self.weights.average(self.loss_of(self.outputs(images), labels), class_weights[labels])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(positions)
        self.epoch += 1
        self.images_seen = len(order)
        return float(total) / len(order)

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def state(self) -> dict[str, object]:
        """All that the next epoch depends on."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "augment": self.augment.get_state(),
        }

    def restore(self, state: dict) -> None:
        """The inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        self.augment.set_state(state["augment"])
        self.epoch = state["epoch"]
